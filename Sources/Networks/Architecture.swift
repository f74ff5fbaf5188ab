/// The networks by name: mdistiller's CIFAR networks and the option-A ResNets.
package enum Architecture {
  /// All canonical names, family by family.
  package static var names: [String] { registry.map(\.name) }

  /// A new network with `classes` outputs; its weights are zero until initialised or loaded.
  package static func make(_ name: String, classes: Int) throws(NetworkError) -> Classifier {
    precondition(classes >= 2, "a classifier needs at least two classes, not \(classes)")
    let canonical = try canonical(name)
    guard let entry = registry.first(where: { $0.name == canonical }) else {
      preconditionFailure("\(canonical) is not in the registry")
    }
    return entry.family.classifier(canonical, classes)
  }

  /// The name as the registry spells it: case does not matter, nor does - in place of _.
  package static func canonical(_ name: String) throws(NetworkError) -> String {
    if let found = names.first(where: { folded($0) == folded(name) }) { return found }
    let near = nearest(to: folded(name), in: names)
    throw NetworkError(
      .unknownName,
      "there is no network \"\(name)\"; nearest: \(near.joined(separator: ", ")); "
        + "all: \(names.joined(separator: ", "))")
  }

  private static func folded(_ name: String) -> String {
    String(name.lowercased().map { $0 == "-" ? "_" : $0 })
  }

  private struct Entry: Sendable {
    let name: String
    let family: Family
  }

  private enum Family: Sendable {
    case resNet(ResNet)
    case wideResNet(WideResNet)
    case vgg(VGG)

    func classifier(_ name: String, _ classes: Int) -> Classifier {
      switch self {
      case .resNet(let network): network.classifier(name, classes: classes)
      case .wideResNet(let network): network.classifier(name, classes: classes)
      case .vgg(let network): network.classifier(name, classes: classes)
      }
    }
  }

  private static let registry: [Entry] =
    [8, 14, 20, 32, 44, 56, 110].map {
      Entry(name: "resnet\($0)", family: .resNet(ResNet(depth: $0)))
    }
    + [8, 32].map {
      Entry(
        name: "resnet\($0)x4",
        family: .resNet(ResNet(depth: $0, widths: [32, 64, 128, 256])))
    }
    + [20, 32, 56, 110].map {
      Entry(
        name: "resnet\($0)_s", family: .resNet(ResNet(depth: $0, shortcut: .optionA)))
    }
    + [(16, 1), (16, 2), (40, 1), (40, 2)].map { depth, factor in
      Entry(
        name: "wrn_\(depth)_\(factor)",
        family: .wideResNet(WideResNet(depth: depth, factor: factor)))
    }
    + [
      (8, [1, 1, 1, 1, 1]), (11, [1, 1, 2, 2, 2]), (13, [2, 2, 2, 2, 2]), (16, [2, 2, 3, 3, 3]),
      (19, [2, 2, 4, 4, 4]),
    ].map { depth, convolutions in
      Entry(name: "vgg\(depth)", family: .vgg(VGG(convolutions: convolutions)))
    }
}
