import CXXHash

/// The second image that some operations need. One per thread, used again for every view.
package struct RenderScratch {
  fileprivate var bytes: [UInt8]

  /// Scratch for images of this many bytes, H·W·3.
  package init(imageBytes: Int) {
    bytes = [UInt8](repeating: 0, count: imageBytes)
  }
}

/// From a view key to pixels: a pure function of (images, view seed, key).
package struct ViewRenderer: Sendable {
  /// The pixels that views are made of.
  package let images: ImageSet
  /// The data set whose augmentations apply.
  package let info: DatasetInfo
  /// The view seed.
  package let seed: UInt64

  /// A renderer of these images' views.
  package init(images: ImageSet, info: DatasetInfo, seed: UInt64) {
    precondition(
      images.height == info.height && images.width == info.width,
      "\(info.name.rawValue) has \(info.height)×\(info.width) images, "
        + "not \(images.height)×\(images.width)")
    self.images = images
    self.info = info
    self.seed = seed
  }

  /// What the view of this key does to its image; how it is drawn stands at `ViewChoice`.
  package func choice(for key: ViewKey) -> ViewChoice {
    ViewChoice(for: key, seed: seed, info: info)
  }

  /// Writes the pixels of a view and gives their hash, the replay proof.
  ///
  /// - Parameters:
  ///   - pixels: H×W×3 bytes, written.
  ///   - scratch: `RenderScratch(imageBytes: info.imageBytes)`, not shared between threads.
  /// - Returns: XXH3-64 (seed 0) of the bytes written.
  @discardableResult
  package func render(
    _ key: ViewKey, into pixels: UnsafeMutableBufferPointer<UInt8>, scratch: inout RenderScratch
  ) -> UInt64 {
    render(choice(for: key), of: key.image, into: pixels, scratch: &scratch)
  }

  /// Does to an image what was chosen: crop, then the operations, then the cutout.
  @discardableResult
  package func render(
    _ choice: ViewChoice, of image: Int, into pixels: UnsafeMutableBufferPointer<UInt8>,
    scratch: inout RenderScratch
  ) -> UInt64 {
    let size = info.imageBytes
    precondition((0..<images.count).contains(image), "image \(image) of \(images.count) images")
    precondition(
      pixels.count == size && scratch.bytes.count == size,
      "a view of \(size) bytes into \(pixels.count) bytes, scratch \(scratch.bytes.count)")
    let (height, width) = (info.height, info.width)
    let source = images.pixels.span.extracting(image * size..<(image + 1) * size)
    var output = pixels.mutableSpan
    crop(
      source, choice.crop, padding: info.padding, height: height, width: width, into: &output)
    if let distortion = choice.distortion {
      var copy = scratch.bytes.mutableSpan
      apply(distortion.first, to: &output, height: height, width: width, scratch: &copy)
      apply(distortion.second, to: &output, height: height, width: width, scratch: &copy)
      cut(&output, distortion.cutout, height: height, width: width)
    }
    return pixelHash(UnsafeBufferPointer(pixels))
  }
}

/// The hash of a view's H×W×3 bytes that proves a replay: XXH3-64 with seed 0.
package func pixelHash(_ pixels: UnsafeBufferPointer<UInt8>) -> UInt64 {
  XXH3_64bits(pixels.baseAddress, pixels.count)
}

extension UInt64 {
  /// A replay proof as it is written: sixteen hexadecimal digits.
  package var proofText: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
