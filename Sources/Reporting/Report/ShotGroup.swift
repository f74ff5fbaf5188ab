/// The shot groups of long-tailed recognition, by a class's training images.
package enum ShotGroup: String, CaseIterable, Sendable {
  case many, medium, few

  package init(trainingImages: Int) {
    self = trainingImages > 100 ? .many : trainingImages >= 20 ? .medium : .few
  }

  /// In words.
  var limits: String {
    switch self {
    case .many: "over 100 images"
    case .medium: "20–100"
    case .few: "under 20"
    }
  }
}
