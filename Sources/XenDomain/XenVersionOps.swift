import XenABI

/// xen_version(command, argument).
enum XenVersionOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        let version = context.domain.configuration.version
        let argument = context.arguments[1]
        switch context.arguments[0] & 0xffff_ffff {
        case VersionOp.version: return Int64(version.major) << 16 | Int64(version.minor)
        case VersionOp.extraVersion: try context.write(argument, bytes: text(version.extra, 16))
        case VersionOp.compileInfo:
            try context.write(argument, bytes: text("Swift", 64) + text("martlet", 16) + text("", 32) + text("", 32))
        case VersionOp.capabilities:
            try context.write(argument, bytes: text("xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ", 1024))
        case VersionOp.changeset: try context.write(argument, bytes: text("", 64))
        case VersionOp.platformParameters:
            if context.is64Bit { try context.store(argument, UInt64(0)) } else { try context.store(argument, UInt32(0)) }
        case VersionOp.getFeatures: try getFeatures(context)
        case VersionOp.pageSize:
            guard argument == 0 else { throw .invalidArgument }
            return 4096
        case VersionOp.guestHandle:
            let uuid = context.domain.configuration.uuid
            try context.write(argument, bytes: (0..<16).map { uuid[$0] })
        case VersionOp.commandLine: try context.write(argument, bytes: text("<denied>", 1024))
        case VersionOp.buildID...VersionOp.last where isKnown(context.arguments[0], version): throw .notPermitted
        default: throw .notImplemented
        }
        return 0
    }

    /// Commands after build_id came with 4.18.
    private static func isKnown(_ command: UInt64, _ version: XenVersion) -> Bool {
        command == VersionOp.buildID || version.isAtLeast(4, 18)
    }

    private static func getFeatures(_ context: HypercallContext) throws(XenError) {
        let index = try context.read(context.arguments[1], count: 4).u32(0)
        guard index == 0 else { throw .invalidArgument }
        try context.store(context.arguments[1] &+ 4, features(context.domain.configuration))
    }

    /// Submap 0 of the features.
    static func features(_ configuration: DomainConfiguration) -> UInt32 {
        var bits =
            XenFeature.writablePageTables | XenFeature.autoTranslatedPhysmap | XenFeature.hvmCallbackVector
            | XenFeature.hvmSafePVClock | XenFeature.memoryOpVNode | XenFeature.notDirectMapped
        if configuration.features.contains(.usesPIRQ) { bits |= XenFeature.hvmPIRQs }
        if configuration.version.isAtLeast(4, 18) { bits |= XenFeature.runstatePhysArea | XenFeature.vcpuTimePhysArea }
        if configuration.version.isAtLeast(4, 19) { bits |= XenFeature.deviceModelMSIXAllWrites }
        return bits
    }

    /// `string` in a field of `size` bytes, always terminated.
    private static func text(_ string: String, _ size: Int) -> [UInt8] {
        let bytes = [UInt8](string.utf8.prefix(size - 1))
        return bytes + [UInt8](repeating: 0, count: size - bytes.count)
    }
}
