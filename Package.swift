// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// - Parameter files: folders in it that the tests read or run by their path.
func tests(
  _ name: String, _ dependencies: [Target.Dependency], files: [String] = []
) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name)] + dependencies,
    exclude: files, swiftSettings: settings)
}

func library(_ name: String, apt: String) -> Target {
  .systemLibrary(name: name, providers: [.apt([apt])])
}

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "teacher-cache",
  products: [
    .executable(name: "teacher-dump", targets: ["teacher-dump"]),
    .executable(name: "student-train", targets: ["student-train"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    library("CLMDB", apt: "liblmdb-dev"),
    library("CZstd", apt: "libzstd-dev"),
    library("COpenBLAS", apt: "libopenblas-dev"),
    library("CZlib", apt: "zlib1g-dev"),
    library("CXXHash", apt: "libxxhash-dev"),
    .systemLibrary(name: "CSPNG", pkgConfig: "spng", providers: [.apt(["libspng-dev"])]),
    .target(name: "CKernels"),

    module("FileIO", []),
    module("LMDB", ["CLMDB", "FileIO"]),
    module("Tensors", ["CKernels"]),
    module("Protobuf", []),
    module("Networks", ["FileIO", "Protobuf", "Tensors", crypto]),
    module("Datasets", ["CZlib", "CXXHash", "FileIO", "Tensors", crypto]),
    module(
      "TeacherCache", ["FileIO", "LMDB", "CZstd", "CXXHash", "Datasets", "Tensors", crypto]),
    module("Distillation", ["Networks", "Datasets", "TeacherCache", "Tensors"]),
    module("Reporting", ["CSPNG", "FileIO", "Protobuf"]),
    module(
      "Experiments",
      [
        "Distillation", "Networks", "Datasets", "TeacherCache", "Tensors", "Reporting", "FileIO",
        crypto, yams,
      ]
    ),
    module(
      "CommandSupport",
      [
        "Experiments", "Distillation", "Networks", "Datasets", "TeacherCache", "Tensors",
        "Reporting", "FileIO", argumentParser,
      ]),
    program(
      "teacher-dump",
      ["CommandSupport", "Experiments", "Datasets", "TeacherCache", "Reporting", argumentParser]),
    program(
      "student-train",
      [
        "CommandSupport", "Datasets", "Distillation", "Experiments", "FileIO", "Networks",
        "Reporting", argumentParser,
      ]),

    .target(
      name: "TestSupport", dependencies: ["FileIO", "Networks"], path: "Tests/Support",
      swiftSettings: settings),
    tests("FileIO", ["TestSupport"]),
    tests("Tensors", ["CKernels", "COpenBLAS", "TestSupport"]),
    tests(
      "Networks", ["FileIO", "Tensors", "TestSupport", crypto], files: ["Fixtures", "Python"]),
    tests("Datasets", ["Tensors", "TestSupport", crypto], files: ["Fixtures"]),
    tests("LMDB", ["TestSupport"]),
    tests("TeacherCache", ["Datasets", "FileIO", "LMDB", "TestSupport"], files: ["Fixtures"]),
    tests(
      "Distillation", ["Networks", "Datasets", "TeacherCache", "Tensors", "TestSupport"],
      files: ["Fixtures"]),
    tests(
      "Experiments",
      [
        "Datasets", "Distillation", "FileIO", "Networks", "Reporting", "TeacherCache", "Tensors",
        "TestSupport",
      ]),
    tests("Reporting", ["CSPNG", "Protobuf"]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "teacher-dump", "student-train", "Datasets", "Networks", "TeacherCache", "TestSupport",
        crypto,
      ],
      swiftSettings: settings),

    // What tools/bench runs; skipped by `swift test`.
    .target(name: "PeakKernel", path: "Tests/PeakKernel"),
    .testTarget(
      name: "Benchmarks",
      dependencies: [
        "Datasets", "Distillation", "Experiments", "Networks", "PeakKernel", "Reporting",
        "TeacherCache", "Tensors",
      ],
      exclude: ["Python"], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
