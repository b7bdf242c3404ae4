// swift-tools-version: 6.2

import PackageDescription

// Every target gets the same strict settings; a target that drifts would be a bug.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

// The arrows of ARCHITECTURE.md: each module and all it may import.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ module: String, _ dependencies: [Target.Dependency] = [], goldens: Bool = false) -> Target {
  .testTarget(
    name: "\(module)Tests",
    dependencies: [.init(stringLiteral: module), "TestSupport"] + dependencies,
    resources: goldens ? [.copy("Goldens")] : [],
    swiftSettings: strict)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let flyingSocks = Target.Dependency.product(name: "FlyingSocks", package: "FlyingFox")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "TinyAlign",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "tinyalign", targets: ["TinyAlignCommand"]),
    .library(name: "TinyAlign", targets: ["TinyAlign"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    .target(name: "CMatrixProducts"),
    .target(name: "CPlatform"),
    .target(name: "EmbeddedAssets"),
    module("JSON"),
    module("Kernels", ["CMatrixProducts", "CPlatform"]),
    module("Tokenizers"),
    module("ChatTemplates"),
    module("Checkpoints", ["JSON"]),
    module("Hub", ["Checkpoints", crypto]),
    module("PolicyGradients"),
    module("Runs", ["JSON"]),
    module("Transformers", ["Kernels", "Checkpoints"]),
    module("Rewards", ["Transformers", "Tokenizers", "Checkpoints", "Hub"]),
    module(
      "Alignment",
      [
        "Rewards", "Transformers", "PolicyGradients", "Tokenizers", "ChatTemplates", "Checkpoints", "Kernels", "Hub",
        "Runs", "JSON", "EmbeddedAssets", crypto, yams,
      ]),
    module("Reports", ["Runs", "JSON", "EmbeddedAssets", crypto]),
    module("LivePage", ["Reports", "Runs", "JSON", flyingSocks]),
    module(
      "TinyAlign",
      [
        "Alignment", "Rewards", "Transformers", "PolicyGradients", "Tokenizers", "ChatTemplates", "Checkpoints",
        "Kernels", "Hub", "Runs", "Reports", "LivePage", "JSON",
      ]),
    .executableTarget(
      name: "TinyAlignCommand",
      dependencies: [
        "Alignment", "LivePage", "Reports", "Rewards", "Transformers", "PolicyGradients", "Tokenizers", "Checkpoints",
        "Kernels",
        "Hub", "Runs", "JSON", argumentParser,
      ],
      swiftSettings: strict),
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    .target(name: "ReferenceKernels", path: "Tests/ReferenceKernels", swiftSettings: strict),
    .testTarget(name: "TestSupportTests", dependencies: ["TestSupport"], swiftSettings: strict),
    tests("JSON"),
    tests("Kernels", ["ReferenceKernels"]),
    tests("Tokenizers", goldens: true),
    tests("ChatTemplates", goldens: true),
    tests("Checkpoints", goldens: true),
    tests("Hub", ["Checkpoints", crypto]),
    tests("Runs", ["JSON"], goldens: true),
    tests("Transformers", ["Kernels", "Checkpoints"], goldens: true),
    tests("Rewards", ["Checkpoints"], goldens: true),
    tests("PolicyGradients", ["Kernels"]),
    tests(
      "Alignment",
      ["ChatTemplates", "Checkpoints", "Kernels", "PolicyGradients", "Rewards", "Runs", "Tokenizers", "Transformers"]),
    tests("Reports", ["Runs", "JSON"], goldens: true),
    tests("LivePage", ["Reports", "Runs", "JSON"]),
    // The live page in a real browser.
    .testTarget(
      name: "BrowserTests", dependencies: ["LivePage", "Reports", "Runs", "JSON", "TestSupport"], swiftSettings: strict),
    // It depends on the command so that the program under test is always built first.
    .testTarget(
      name: "CommandLineTests", dependencies: ["TestSupport", "TinyAlignCommand"], resources: [.copy("Goldens")],
      swiftSettings: strict),
  ]
)
