import Crypto
import FileIO

/// The images of one split, in the publisher's file order: position = image id.
package struct ImageSet: Sendable {
  package let height: Int
  package let width: Int
  package let classes: Int
  /// The class of every image, 0..<classes.
  package let labels: [Int]
  /// N×H×W×3, interleaved, before normalisation.
  package let pixels: [UInt8]

  /// Images in the set.
  package var count: Int { labels.count }
  /// Bytes of one image: H·W·3.
  package var imageBytes: Int { height * width * 3 }

  /// A set of these pixels (N×H×W×3) and labels.
  package init(height: Int, width: Int, classes: Int, labels: [Int], pixels: [UInt8]) {
    precondition(
      height > 0 && width > 0 && pixels.count == labels.count * height * width * 3,
      "\(labels.count) images of \(height)×\(width)×3 cannot have \(pixels.count) bytes")
    precondition(
      labels.allSatisfy { (0..<classes).contains($0) }, "a label lies outside 0..<\(classes)")
    self.height = height
    self.width = width
    self.classes = classes
    self.labels = labels
    self.pixels = pixels
  }

  /// SHA-256, in lower-case hex, of what a network can see of the set.
  ///
  /// Over these bytes, without gaps: the 12 bytes "image-set-1\n"; count, height, width,
  /// channels (3) and classes as 32-bit little-endian integers; every label as a 16-bit
  /// little-endian integer; the pixels N×H×W×3.
  package func contentHash() -> String {
    var hash = SHA256()
    hash.update(data: Array("image-set-1\n".utf8))
    for number in [count, height, width, 3, classes] {
      hash.update(data: [UInt8](littleEndian: UInt32(number)))
    }
    hash.update(data: labels.flatMap { [UInt8](littleEndian: UInt16($0)) })
    pixels.withUnsafeBytes { hash.update(bufferPointer: $0) }
    return hexadecimal(hash.finalize())
  }
}
