import Datasets
import Foundation
import TestSupport
import Testing

/// Where the files of these tests lie.
enum Fixtures {
  private static let here = URL(filePath: #filePath).deletingLastPathComponent()
  static let golden = Files.reference.appending(path: "golden")
  static let longTailed = Files.reference.appending(path: "data/long-tailed")

  static func decode<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
    let file = here.appending(path: "Fixtures/\(name).json")
    return try JSONDecoder().decode(type, from: Data(contentsOf: file))
  }
}

extension TemporaryDirectory {
  var url: URL { URL(filePath: path) }

  /// Writes a file, with the folders above it, and gives its path.
  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = url.appending(path: name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
    return file.path
  }
}

/// Runs what must fail with a `DatasetError` of this kind and checks what its message names.
func expectError<Value>(
  _ kind: DatasetError.Kind, naming parts: [String], _ body: () throws -> Value,
  at location: SourceLocation = #_sourceLocation
) {
  let error = #expect(throws: DatasetError.self, sourceLocation: location) { _ = try body() }
  #expect(error?.kind == kind, sourceLocation: location)
  for part in parts {
    #expect(
      error?.description.contains(part) == true, "\(error?.description ?? "no error") ∌ \(part)",
      sourceLocation: location)
  }
}

/// The pictures of the fixtures, by the rule that stands in tools/reference/views.py.
func syntheticImages(side: Int, classes: Int) -> ImageSet {
  var pixels: [UInt8] = []
  for image in 0..<5 {
    for y in 0..<side {
      for x in 0..<side {
        switch image {
        case 3: pixels += [77, 77, 77]
        case 4: pixels += (x / 5 + y / 3) % 2 == 0 ? [10, 200, 90] : [60, 201, 255]
        default:
          pixels.append(UInt8((7 * x + 3 * y + 31 * image) & 255))
          pixels.append(UInt8((x * y / 3 + 40 + 17 * image) & 255))
          pixels.append(UInt8((x * x + 5 * y + 90 + image) % 211))
        }
      }
    }
  }
  return ImageSet(
    height: side, width: side, classes: classes, labels: [0, 1, 2, 3, 4], pixels: pixels)
}

extension ViewRenderer {
  /// A renderer of the fixtures' pictures.
  static func ofSyntheticImages(_ name: DatasetName, seed: UInt64 = 0) -> ViewRenderer {
    let info = name.info
    return ViewRenderer(
      images: syntheticImages(side: info.height, classes: info.classes), info: info, seed: seed)
  }

  func pixels(_ key: ViewKey) -> [UInt8] { pixels(choice(for: key), of: key.image) }

  func pixels(_ choice: ViewChoice, of image: Int) -> [UInt8] {
    var scratch = RenderScratch(imageBytes: info.imageBytes)
    var pixels = [UInt8](repeating: 255, count: info.imageBytes)
    pixels.withUnsafeMutableBufferPointer {
      _ = render(choice, of: image, into: $0, scratch: &scratch)
    }
    return pixels
  }
}

func hexadecimalHash(_ pixels: [UInt8]) -> String {
  let hash = pixels.withUnsafeBufferPointer { pixelHash($0) }
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

/// CRC-32 as in gzip, zip and Python's zlib.
func crc32(_ bytes: [UInt8]) -> UInt32 {
  ~bytes.reduce(UInt32.max) { crc, byte in
    (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
  }
}
