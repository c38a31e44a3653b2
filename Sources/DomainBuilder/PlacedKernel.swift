internal import KernelImage

/// A kernel and where it goes: where it was linked for, or elsewhere as a whole within the bounds of its PHYS32_RELOC note.
struct PlacedKernel {
    let image: KernelImage
    /// What is added to every physical address of the image; wraps, so that it can lead down.
    let offset: UInt64

    var fileName: String { image.fileName }
    var endAddress: UInt64 { image.endAddress &+ offset }
    /// The image's segments with the addresses they get.
    var segments: [KernelImage.Segment] {
        image.segments.map { segment in
            var moved = segment
            moved.physicalAddress &+= offset
            return moved
        }
    }

    func entry(_ linked: UInt32) -> UInt32 { linked &+ UInt32(truncatingIfNeeded: offset) }

    /// Leaves the kernel where it was linked for if it can stand there, which is what the stock builder does in any case. If not, a
    /// kernel with the note goes to the lowest place that suits it, from 1 MiB on. Without one it stays, and ``Placement`` refuses it.
    ///
    /// - Parameters:
    ///   - lowEnd: where the guest's RAM below the hole ends.
    ///   - reserved: a page the kernel must not cover, by its address.
    init(_ image: KernelImage, lowEnd: UInt64, reserved: UInt64?) {
        self.image = image
        let start = image.lowestAddress
        let size = image.endAddress - start
        func suits(_ address: UInt64) -> Bool {
            guard address < lowEnd, size <= lowEnd - address else { return false }
            guard let reserved else { return true }
            return address + size <= reserved || address >= reserved + GuestLayout.pageSize
        }
        guard !suits(start), let bounds = image.relocation, bounds.alignment <= GuestLayout.fourGiB,
            bounds.minimumAddress < GuestLayout.fourGiB
        else {
            offset = 0
            return
        }
        // Low memory below 1 MiB, where the reserved page is, is not looked at.
        let place = GuestLayout.roundUp(max(bounds.minimumAddress, 1 << 20), to: bounds.alignment)
        let isInBounds = size > 0 && place <= bounds.maximumAddress && size - 1 <= bounds.maximumAddress - place
        offset = suits(place) && isInBounds ? place &- start : 0
    }
}
