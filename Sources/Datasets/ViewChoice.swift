import Tensors

/// Where a crop is cut from the padded image, and whether it is then mirrored.
package struct Crop: Equatable, Codable, Sendable {
  /// Rows and columns of padding left out at the top and at the left, 0…2·padding.
  package let dy: Int
  package let dx: Int
  package let flip: Bool

  package init(dy: Int, dx: Int, flip: Bool) {
    self.dy = dy
    self.dx = dx
    self.flip = flip
  }

  /// The crop of a number 0..<weakViews, as in the view `crop:NUMBER`.
  package init(number: Int, of info: DatasetInfo) {
    precondition(
      (0..<info.weakViews).contains(number),
      "\(info.name.rawValue) has the crops 0..<\(info.weakViews), not \(number)")
    let offsets = 2 * info.padding + 1
    let place = info.flips ? number / 2 : number
    self.init(dy: place / offsets, dx: place % offsets, flip: info.flips && number % 2 == 1)
  }
}

/// What a strong view does after its crop: two operations, then the cutout.
package struct Distortion: Equatable, Codable, Sendable {
  package let first: ImageOperation
  package let second: ImageOperation
  package let cutout: Cutout

  package init(first: ImageOperation, second: ImageOperation, cutout: Cutout) {
    self.first = first
    self.second = second
    self.cutout = cutout
  }
}

/// What a view does to its image, as a value.
///
/// **The draws of `@1`**, so that any program can repeat them. A stream of 32-bit words belongs to
/// (view seed, image id, kind, round): Philox4x32-10 with the view seed as key (low word first) and
/// the counters (b, image id, round, kind) for b = 0, 1, 2, …, four words a block in order; kind is
/// 0x76696501 for weak and 0x76696502 for strong views ("vie", 1 or 2). From the stream
///
/// * `below(n)` takes one word w: the result is (w·n) >> 32; if (w·n) mod 2³² < 2³² mod n, it takes
///   the next word instead;
/// * `uniform()` takes two words a, b: ((a >> 5)·2²⁶ + (b >> 6))·2⁻⁵³ as a Double.
///
/// A **weak** view draws the number of its crop, `below(weakViews)`. A **strong** view draws, in this
/// order, the number of its crop, `below(weakViews)`; twice an operation: its kind `below(14)`
/// in the order of `OperationKind`, then t = `uniform()`, whatever the kind, for the magnitude
/// low + (high − low)·t; the cutout's side `uniform()`·0.5; its centre
/// x = W + (1 − W)·`uniform()`, which lies on (1, W], then y = H + (1 − H)·`uniform()`.
/// All arithmetic is in Double. **Plain** views and **crop** views draw nothing.
package struct ViewChoice: Equatable, Codable, Sendable {
  /// For a plain view the crop that is the image itself.
  package let crop: Crop
  /// Strong views have one, others do not.
  package let distortion: Distortion?

  package init(crop: Crop, distortion: Distortion? = nil) {
    self.crop = crop
    self.distortion = distortion
  }
}

extension ViewChoice {
  /// Tells the streams of weak and strong views apart, and both from other users of the same key.
  private enum Stream: UInt32 {
    case weak = 0x7669_6501
    case strong = 0x7669_6502
  }

  /// The choice that belongs to a key: the same key and seed, the same choice, always.
  init(for key: ViewKey, seed: UInt64, info: DatasetInfo) {
    switch key.view {
    case .plain:
      self.init(crop: Crop(dy: info.padding, dx: info.padding, flip: false))
    case .crop(let number):
      self.init(crop: Crop(number: number, of: info))
    case .weak(let round):
      let number = Self.weakCrop(image: key.image, round: round, seed: seed, info: info)
      self.init(crop: Crop(number: number, of: info))
    case .strong(let round):
      var stream = Self.stream(.strong, image: key.image, round: round, seed: seed)
      let number = stream.below(info.weakViews)
      let first = ImageOperation(drawnFrom: &stream)
      let second = ImageOperation(drawnFrom: &stream)
      let (height, width) = (Double(info.height), Double(info.width))
      let side = stream.uniform() * 0.5
      let x = width + (1 - width) * stream.uniform()
      let y = height + (1 - height) * stream.uniform()
      self.init(
        crop: Crop(number: number, of: info),
        distortion: Distortion(
          first: first, second: second, cutout: Cutout(side: side, x: x, y: y)))
    }
  }

  /// The number of the crop that a weak round draws.
  package static func weakCrop(image: Int, round: Int, seed: UInt64, info: DatasetInfo) -> Int {
    var stream = stream(.weak, image: image, round: round, seed: seed)
    return stream.below(info.weakViews)
  }

  private static func stream(_ kind: Stream, image: Int, round: Int, seed: UInt64) -> RandomStream {
    guard let id = UInt32(exactly: image), let number = UInt32(exactly: round) else {
      preconditionFailure("image \(image), round \(round): both must be 0..<2^32")
    }
    return RandomStream(key: seed, stream: (id, number, kind.rawValue))
  }
}

extension ImageOperation {
  /// The next operation of a strong view's stream.
  fileprivate init(drawnFrom stream: inout RandomStream) {
    let kind = OperationKind.allCases[stream.below(OperationKind.allCases.count)]
    let range = kind.magnitudes
    let t = stream.uniform()
    self.init(kind, magnitude: range.lowerBound + (range.upperBound - range.lowerBound) * t)
  }
}
