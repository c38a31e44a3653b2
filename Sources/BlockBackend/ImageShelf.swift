internal import Glibc
internal import Synchronization

/// Images a guest holds on to between two of its lives. They stay open, and with that locked: nobody else can take a disk while its guest
/// is being restarted.
///
/// Safe from any thread.
public final class ImageShelf: Sendable {
    struct Entry: Sendable {
        var configuration: BlockConfiguration
        /// The file itself, which may have been replaced under its path meanwhile.
        var identity: FileIdentity?
        var image: any BlockImage
    }

    private struct State: Sendable {
        var isOpen = false
        var entries: [Entry] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// From now on a disk that is closed leaves its image here.
    public func open() { state.withLock { $0.isOpen = true } }

    /// Closes what nobody has taken; from now on a disk closes its image itself.
    public func clear() {
        let left = state.withLock { state in
            defer { state = State() }
            return state.entries
        }
        for entry in left { entry.image.close() }
    }

    /// - Returns: false when nothing is kept; the image is the caller's to close then.
    func keep(_ entry: Entry) -> Bool {
        state.withLock { state in
            if state.isOpen { state.entries.append(entry) }
            return state.isOpen
        }
    }

    /// The image of a disk that is opened in the same way, if its file is still the one at its path. Others on the shelf with that path are
    /// closed, so that they do not stand in the way.
    func take(_ configuration: BlockConfiguration) -> (any BlockImage)? {
        let identity = FileIdentity(configuration.path)
        let found = state.withLock { state in
            defer { state.entries.removeAll { $0.configuration.path == configuration.path } }
            return state.entries.filter { $0.configuration.path == configuration.path }
        }
        let index = found.firstIndex {
            $0.configuration.opensAlike(configuration) && $0.identity != nil && $0.identity == identity && $0.image.isUsable
        }
        for (position, entry) in found.enumerated() where position != index { entry.image.close() }
        return index.map { found[$0].image }
    }
}

/// Which file of the host a path leads to.
struct FileIdentity: Equatable, Sendable {
    private let device: dev_t
    private let node: ino_t

    /// Nil when there is none.
    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        (device, node) = (status.st_dev, status.st_ino)
    }
}

extension BlockConfiguration {
    /// Whether an image opened for the one serves the other.
    func opensAlike(_ other: BlockConfiguration) -> Bool {
        func opening(_ configuration: BlockConfiguration) -> BlockConfiguration {
            var result = BlockConfiguration(name: "", deviceNumber: 0, path: configuration.path)
            (result.format, result.method, result.sectorByteCount) =
                (configuration.format, configuration.method, configuration.sectorByteCount)
            (result.isReadOnly, result.isDirectIOSafe, result.allowsDiscard) =
                (configuration.isReadOnly, configuration.isDirectIOSafe, configuration.allowsDiscard)
            return result
        }
        return opening(self) == opening(other)
    }
}
