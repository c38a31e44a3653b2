// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// Settings every Swift target shares. Warnings are errors: a warning that may stay is a warning nobody reads.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// A library target below `Sources/`; `imports` is the whole list of what it may import from this package.
func layer(_ name: String, imports: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: imports, swiftSettings: strict)
}

func tests(_ name: String, imports: [Target.Dependency]) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.byName(name: name)] + imports, exclude: fixtures(of: name + "Tests"), swiftSettings: strict)
}

/// Tests read their fixtures where they are; SwiftPM need not warn of files that it does not know.
func fixtures(of target: String) -> [String] {
    FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/Tests/\(target)/Fixtures") ? ["Fixtures"] : []
}

func systemLibrary(_ name: String, pkgConfig: String?, debian: String) -> Target {
    .systemLibrary(name: name, path: "Sources/CLibraries/\(name)", pkgConfig: pkgConfig, providers: [.apt([debian])])
}

/// The library and what it re-exports. Its users in this package import `Martlet` alone; named here, a change below it reaches them in an
/// incremental build, which does not see through a re-export.
let martlet: [Target.Dependency] = ["Martlet", "Toolstack", "DomainConfig", "KernelImage", "ControlProtocol"]

let package = Package(
    name: "martlet",
    products: [
        .executable(name: "martlet", targets: ["martlet-cli"]),
        .executable(name: "martlet-guest", targets: ["martlet-guest"]),
        .library(name: "Martlet", targets: ["Martlet"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // Layer 0: values and tables.
        .systemLibrary(name: "CLinux", path: "Sources/CLinux"),
        systemLibrary("CZlib", pkgConfig: "zlib", debian: "zlib1g-dev"),
        systemLibrary("CBzip2", pkgConfig: nil, debian: "libbz2-dev"),
        systemLibrary("CLZMA", pkgConfig: "liblzma", debian: "liblzma-dev"),
        systemLibrary("CLZ4", pkgConfig: "liblz4", debian: "liblz4-dev"),
        systemLibrary("CZstd", pkgConfig: "libzstd", debian: "libzstd-dev"),
        systemLibrary("CURing", pkgConfig: nil, debian: "liburing-dev"),
        systemLibrary("CSlirp", pkgConfig: nil, debian: "libslirp-dev"),
        systemLibrary("CNBD", pkgConfig: nil, debian: "libnbd-dev"),
        layer("XenABI"),
        layer("X86"),
        layer("SoftFloat"),

        // Layer 1: memory and pure parts.
        layer("GuestMemory"),
        layer("X86Decoder", imports: ["X86"]),
        layer("HostIO"),
        layer("XenStore", imports: ["XenABI"]),
        layer("DomainConfig"),
        layer("KernelImage", imports: ["CZlib", "CBzip2", "CLZMA", "CLZ4", "CZstd"]),

        // Layer 2: engines and mechanisms.
        layer("VirtualCPU", imports: ["X86", "GuestMemory"]),
        layer("X86Interpreter", imports: ["X86", "X86Decoder", "GuestMemory", "VirtualCPU", "SoftFloat"]),
        layer("LocalAPIC", imports: ["X86"]),
        layer("PVRing", imports: ["XenABI", "GuestMemory"]),
        layer("DomainBuilder", imports: ["XenABI", "X86", "KernelImage"]),

        // Layer 3: Xen semantics and devices.
        layer("XenDomain", imports: ["XenABI", "X86", "GuestMemory", "VirtualCPU", "LocalAPIC"]),
        layer("XenBus", imports: ["HostIO", "PVRing", "XenABI", "GuestMemory"]),
        layer("BlockBackend", imports: ["CLinux", "CURing", "CNBD", "HostIO", "PVRing", "XenBus", "XenABI", "GuestMemory"]),
        layer("NetBackend", imports: ["CSlirp", "CLinux", "HostIO", "PVRing", "XenBus", "XenABI", "GuestMemory"]),
        layer("ConsoleBackend", imports: ["HostIO", "PVRing", "XenABI", "GuestMemory"]),
        layer("XenStoreServer", imports: ["HostIO", "PVRing", "XenABI", "XenStore", "GuestMemory"]),

        // Layer 4: composition.
        layer("ControlProtocol"),
        layer("Bootloader", imports: ["ControlProtocol"]),
        layer(
            "Machine",
            imports: [
                "CLinux", "HostIO", "XenABI", "X86", "GuestMemory", "KernelImage", "DomainBuilder", "VirtualCPU", "X86Interpreter",
                "LocalAPIC",
                "XenDomain", "PVRing", "XenBus", "BlockBackend", "NetBackend", "ConsoleBackend", "XenStore", "XenStoreServer",
                "ControlProtocol", "Bootloader",
            ]),
        layer("Toolstack", imports: ["CLinux", "DomainConfig", "KernelImage", "ControlProtocol", "Bootloader", "XenStore"]),
        layer("Martlet", imports: ["Toolstack", "DomainConfig", "KernelImage", "ControlProtocol"]),

        // Layer 5: executables.
        .executableTarget(
            name: "martlet-cli", dependencies: martlet + [.product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),
        .executableTarget(name: "martlet-guest", dependencies: ["Machine", "ControlProtocol"], swiftSettings: strict),

        // The library in use.
        .executableTarget(name: "example-console", dependencies: martlet, path: "examples/console", swiftSettings: strict),

        // Measurements; `scripts/bench-store` runs it.
        .executableTarget(
            name: "bench-store", dependencies: ["HostIO", "PVRing", "XenStore", "XenStoreServer"], path: "Benchmarks/Store",
            swiftSettings: strict),

        // Tests.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .target(
            name: "DeviceTestSupport",
            dependencies: [
                "TestSupport", "Machine", "PVRing", "XenBus", "XenABI", "X86", "XenDomain", "XenStore", "XenStoreServer", "GuestMemory",
                "VirtualCPU",
            ],
            path: "Tests/DeviceTestSupport", swiftSettings: strict),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "ControlProtocol", "DomainConfig", "GuestMemory", "KernelImage", "PVRing", "TestSupport", "X86Decoder", "XenABI",
                "XenStore",
                "XenStoreServer",
            ], path: "Fuzz/Targets", swiftSettings: strict),
        .testTarget(
            name: "PackagingTests", dependencies: ["ControlProtocol", "TestSupport", "fake-guest", "martlet-cli", "martlet-guest"],
            exclude: fixtures(of: "PackagingTests"), swiftSettings: strict),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], swiftSettings: strict),
        .executableTarget(name: "fake-guest", dependencies: ["ControlProtocol"], path: "Tests/FakeGuest", swiftSettings: strict),
        tests("X86", imports: []),
        tests("SoftFloat", imports: ["TestSupport"]),
        tests("GuestMemory", imports: []),
        tests("X86Decoder", imports: ["X86", "TestSupport"]),
        tests("XenStore", imports: ["XenABI", "TestSupport"]),
        tests("DomainConfig", imports: ["TestSupport"]),
        tests("KernelImage", imports: ["TestSupport"]),
        tests("X86Interpreter", imports: ["X86", "X86Decoder", "GuestMemory", "VirtualCPU", "SoftFloat", "TestSupport"]),
        tests("LocalAPIC", imports: ["X86", "TestSupport"]),
        tests("DomainBuilder", imports: ["XenABI", "X86", "KernelImage", "TestSupport"]),
        tests("XenDomain", imports: ["XenABI", "X86", "GuestMemory", "VirtualCPU", "LocalAPIC", "TestSupport"]),
        tests("PVRing", imports: ["XenABI", "GuestMemory", "TestSupport"]),
        tests("XenStoreServer", imports: ["XenStore", "XenABI", "PVRing", "GuestMemory", "HostIO", "TestSupport"]),
        tests("XenBus", imports: ["PVRing", "XenABI", "GuestMemory", "HostIO", "TestSupport", "DeviceTestSupport"]),
        tests("BlockBackend", imports: ["XenBus", "PVRing", "XenABI", "GuestMemory", "HostIO", "TestSupport", "DeviceTestSupport"]),
        tests(
            "NetBackend",
            imports: [
                "Machine", "XenDomain", "XenStoreServer", "XenStore", "XenBus", "PVRing", "VirtualCPU", "XenABI", "X86", "GuestMemory",
                "HostIO",
                "TestSupport", "DeviceTestSupport",
            ]),
        tests("ConsoleBackend", imports: ["PVRing", "GuestMemory", "HostIO", "TestSupport"]),
        tests("ControlProtocol", imports: ["TestSupport"]),
        tests("Bootloader", imports: ["ControlProtocol"]),
        tests(
            "Toolstack", imports: ["DomainConfig", "ControlProtocol", "KernelImage", "Martlet", "TestSupport", "fake-guest", "martlet-cli"]),
        tests(
            "Machine",
            imports: [
                "TestSupport", "GuestMemory", "X86", "VirtualCPU", "XenABI", "XenDomain", "ControlProtocol", "HostIO", "martlet-guest",
            ]),
        .testTarget(
            name: "IntegrationTests", dependencies: ["TestSupport"], exclude: fixtures(of: "IntegrationTests"), swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

// The program for libFuzzer, which brings the main function: it links only with `swift build --sanitize fuzzer`; see scripts/fuzz.
if Context.environment["MARTLET_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(name: "martlet-fuzz", dependencies: ["FuzzTargets", "TestSupport"], path: "Fuzz/Driver", swiftSettings: strict))
}
