/// What a network sees of an image: the image itself or one of its random or numbered changes.
///
/// Written `plain`, `weak:3`, `strong:0`, `crop:161`; the number of `weak` and `strong` is the
/// round. Views are ordered plain, weak, strong, crop, then by number.
package enum View: Hashable, Sendable, Comparable {
  /// The image as it is.
  case plain
  /// The random crop (and flip) of a round.
  case weak(Int)
  /// The random crop, two random operations and the cutout of a round.
  case strong(Int)
  /// One of the finitely many weak views: number (dy·(2·padding + 1) + dx)·2 + flip, or, where
  /// images are not flipped, dy·(2·padding + 1) + dx.
  case crop(Int)

  /// Rounds are 0..<1,000,000.
  package static let roundLimit = 1_000_000

  /// The view of a text such as `weak:3`.
  ///
  /// Throws `.usage` for anything that is not written exactly so.
  package init(parsing text: String) throws(DatasetError) {
    if text == "plain" {
      self = .plain
      return
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let number = decimal(parts[1]) else {
      throw DatasetError(
        .usage,
        "\"\(text)\" is not a view; write plain, weak:ROUND, strong:ROUND or crop:NUMBER, "
          + "for example weak:3")
    }
    guard number < Self.roundLimit else {
      throw DatasetError(
        .usage, "\"\(text)\": the number of a view must be below \(Self.roundLimit)")
    }
    guard let kind = ViewKind(name: parts[0]), kind != .plain else {
      throw DatasetError(
        .usage,
        "\"\(text)\": there is no view kind \"\(parts[0])\"; "
          + "there are plain, weak, strong and crop")
    }
    self.init(kind: kind, round: number)
  }

  /// Makes sure that images of this data set have the view: crop numbers end at `weakViews`.
  ///
  /// Throws `.usage` otherwise.
  package func check(in info: DatasetInfo) throws(DatasetError) {
    guard case .crop(let number) = self, number >= info.weakViews else { return }
    throw DatasetError(
      .usage,
      "\(self): images of \(info.name.rawValue) have the crops 0…\(info.weakViews - 1)")
  }
}

extension View: CustomStringConvertible {
  /// The view as it is written everywhere, `weak:3`.
  package var description: String {
    self == .plain ? kind.name : "\(kind.name):\(round)"
  }
}

extension View: Codable {
  /// Reads the view from its text.
  package init(from decoder: any Decoder) throws {
    try self.init(parsing: decoder.singleValueContainer().decode(String.self))
  }

  /// Writes the view as its text.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// One view of one image: the name under which pixels and teacher outputs are found.
package struct ViewKey: Hashable, Sendable {
  /// The image's position in the original training set.
  package let image: Int
  package let view: View

  package init(image: Int, view: View) {
    self.image = image
    self.view = view
  }
}

/// The value of one to nine decimal digits without sign or spaces, or nil.
func decimal(_ text: some StringProtocol) -> Int? {
  let digits = text.utf8
  guard (1...9).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else {
    return nil
  }
  return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
}
