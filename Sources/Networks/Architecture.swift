/// The networks by name: mdistiller's CIFAR networks and the option-A ResNets.
package enum Architecture {
  /// All canonical names, family by family.
  package static var names: [String] { registry.map(\.name) }

  /// A new network with `classes` outputs; its weights are zero until initialised or loaded.
  package static func make(_ name: String, classes: Int) throws(NetworkError) -> Classifier {
    precondition(classes >= 2, "a classifier needs at least two classes, not \(classes)")
    let canonical = try canonical(name)
    guard let entry = entry(canonical) else {
      preconditionFailure("\(canonical) is not in the registry")
    }
    return entry.family.classifier(canonical, classes: classes)
  }

  /// The name as the registry spells it: case does not matter, nor does - in place of _.
  package static func canonical(_ name: String) throws(NetworkError) -> String {
    if let found = entry(name) { return found.name }
    let near = nearest(to: folded(name), in: names)
    throw NetworkError(
      .unknownName,
      "there is no network \"\(name)\"; nearest: \(near.joined(separator: ", ")); "
        + "all: \(names.joined(separator: ", "))")
  }

  /// Whether it is one of the light networks, which mdistiller trains at a fifth of the rate of others.
  package static func isLight(_ name: String) -> Bool { entry(name)?.isLight ?? false }

  private static func entry(_ name: String) -> Entry? {
    registry.first { folded($0.name) == folded(name) }
  }

  private static func folded(_ name: String) -> String {
    String(name.lowercased().map { $0 == "-" ? "_" : $0 })
  }

  private struct Entry: Sendable {
    let name: String
    let family: any NetworkFamily
    var isLight = false
  }

  private static let registry: [Entry] =
    [8, 14, 20, 32, 44, 56, 110].map {
      Entry(name: "resnet\($0)", family: ResNet(depth: $0))
    }
    + [8, 32].map {
      Entry(name: "resnet\($0)x4", family: ResNet(depth: $0, widths: [32, 64, 128, 256]))
    }
    + [20, 32, 56, 110].map {
      Entry(name: "resnet\($0)_s", family: ResNet(depth: $0, shortcut: .optionA))
    }
    + [20, 32].map {
      Entry(
        name: "resnet\($0)_s_normed",
        family: ResNet(depth: $0, shortcut: .optionA, normedHead: true))
    }
    + [(16, 1), (16, 2), (40, 1), (40, 2)].map { depth, factor in
      Entry(name: "wrn_\(depth)_\(factor)", family: WideResNet(depth: depth, factor: factor))
    }
    + [
      (8, [1, 1, 1, 1, 1]), (11, [1, 1, 2, 2, 2]), (13, [2, 2, 2, 2, 2]), (16, [2, 2, 3, 3, 3]),
      (19, [2, 2, 4, 4, 4]),
    ].map { depth, convolutions in
      Entry(name: "vgg\(depth)", family: VGG(convolutions: convolutions))
    }
    + [
      Entry(name: "MobileNetV2", family: MobileNetV2(), isLight: true),
      Entry(name: "ShuffleV1", family: ShuffleNetV1(), isLight: true),
      Entry(name: "ShuffleV2", family: ShuffleNetV2(), isLight: true),
      Entry(name: "ResNet18", family: FourStageResNet(blocks: [2, 2, 2, 2], block: .basic)),
      Entry(name: "ResNet50", family: FourStageResNet(blocks: [3, 4, 6, 3], block: .bottleneck)),
    ]
}

/// Networks of one construction; a value of it describes one network.
protocol NetworkFamily: Sendable {
  /// A new network with `classes` outputs that calls itself `name`.
  func classifier(_ name: String, classes: Int) -> Classifier
}
