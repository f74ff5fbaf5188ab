import Datasets
import Foundation
import TestSupport
import Testing

@Suite("IDX files")
struct IDXTests {
  static let labels: [UInt8] = [5, 0, 9]

  static func images(
    magic: UInt32 = 0x803, count: UInt32 = 3, rows: UInt32 = 28, columns: UInt32 = 28
  ) -> [UInt8] {
    bigEndian(magic, count, rows, columns) + (0..<3 * 784).map { UInt8($0 % 251) }
  }

  static func labels(magic: UInt32 = 0x801, count: UInt32 = 3, _ values: [UInt8] = labels)
    -> [UInt8]
  {
    bigEndian(magic, count) + values
  }

  private static func bigEndian(_ values: UInt32...) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.bigEndian) { Array($0) } }
  }

  private func load(
    _ images: [UInt8], _ labels: [UInt8], imageName: String = "train-images-idx3-ubyte",
    labelName: String = "train-labels-idx1-ubyte", in subfolder: String = "",
    as name: DatasetName = .mnist
  ) throws -> ImageSet {
    let folder = try TemporaryDirectory()
    try folder.write(subfolder + imageName, images)
    try folder.write(subfolder + labelName, labels)
    return try ImageDataset.loadTrain(name, from: folder.path)
  }

  @Test(
    "plain and gzip files are read under every usual name",
    arguments: ["-", "."], ["", ".gz"])
  func names(_ mark: String, _ end: String) throws {
    let (images, labels) = (Self.images(), Self.labels())
    for packed in [false, true] {
      let set = try load(
        packed ? gzip(images) : images, packed ? gzip(labels) : labels,
        imageName: "train-images\(mark)idx3-ubyte\(end)",
        labelName: "train-labels\(mark)idx1-ubyte\(end)")
      #expect(set.labels == [5, 0, 9])
      #expect(set.height == 28 && set.width == 28 && set.classes == 10)
      let gray = (0..<3 * 784).map { UInt8($0 % 251) }
      #expect(set.pixels == gray.flatMap { [$0, $0, $0] })
    }
  }

  @Test(
    "the files are found in the usual subfolders",
    arguments: [
      (DatasetName.mnist, "raw/"), (.mnist, "MNIST/raw/"), (.fashionMNIST, "FashionMNIST/raw/"),
      (.fashionMNIST, ""),
    ])
  func subfolders(_ name: DatasetName, _ subfolder: String) throws {
    let set = try load(Self.images(), Self.labels(), in: subfolder, as: name)
    #expect(set.count == 3)
  }

  struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var images = IDXTests.images()
    var labels = IDXTests.labels()
    let parts: [String]
  }

  static let damages = [
    Damage(testDescription: "empty images", images: [], parts: ["train-images", "0 bytes", "16"]),
    Damage(testDescription: "empty labels", labels: [], parts: ["train-labels", "0 bytes", "8"]),
    Damage(
      testDescription: "half a header", images: Array(images().prefix(15)),
      parts: ["train-images", "15 bytes"]),
    Damage(
      testDescription: "labels as images", images: labels() + [UInt8](repeating: 0, count: 20),
      parts: ["train-images", "0x801", "0x803"]),
    Damage(
      testDescription: "images as labels", labels: images(),
      parts: ["train-labels", "0x803", "0x801"]),
    Damage(
      testDescription: "little-endian", images: images(magic: 0x0308_0000), parts: ["0x3080000"]),
    Damage(testDescription: "other size", images: images(rows: 32), parts: ["32×28", "28×28"]),
    Damage(
      testDescription: "sizes that overflow", images: images(rows: .max, columns: .max),
      parts: ["4294967295×4294967295"]),
    Damage(
      testDescription: "no images", images: images(count: 0), parts: ["0 images", "1…100000"]),
    Damage(
      testDescription: "four thousand million images", images: images(count: .max),
      parts: ["4294967295"]),
    Damage(
      testDescription: "four thousand million labels", labels: labels(count: .max),
      parts: ["train-labels", "4294967295"]),
    Damage(
      testDescription: "fewer labels than images", labels: labels(count: 2, [1, 2]),
      parts: ["3 images", "2 labels"]),
    Damage(
      testDescription: "images cut off", images: images().dropLast(),
      parts: ["train-images", "cut off", "2351", "3 images"]),
    Damage(
      testDescription: "labels cut off", labels: labels().dropLast(),
      parts: ["train-labels", "cut off", "3 labels"]),
    Damage(
      testDescription: "images too long", images: images() + [0],
      parts: ["train-images", "goes on"]),
    Damage(
      testDescription: "labels too long", labels: labels() + [0],
      parts: ["train-labels", "goes on"]),
    Damage(
      testDescription: "label out of range", labels: labels([5, 10, 9]),
      parts: ["label 1 is 10", "0…9"]),
    Damage(
      testDescription: "gzip cut off", images: gzip(images()).dropLast(9),
      parts: ["train-images", "cut off"]),
    Damage(
      testDescription: "gzip header only", images: [0x1F, 0x8B], parts: ["train-images", "cut off"]),
    Damage(
      testDescription: "gzip damaged", images: damaged(gzip(images())),
      parts: ["train-images", "damaged"]),
    Damage(
      testDescription: "gzip of other method",
      images: [0x1F, 0x8B, 7] + Array(gzip(images()).dropFirst(3)),
      parts: ["train-images", "damaged"]),
    Damage(
      testDescription: "bytes after the gzip data", images: gzip(images()) + [1, 2, 3],
      parts: ["train-images", "goes on after its gzip data"]),
    Damage(
      testDescription: "two gzip members", labels: gzip(labels()) + gzip(labels()),
      parts: ["train-labels", "goes on"]),
    Damage(
      testDescription: "gzip that unpacks too far",
      labels: gzip(labels() + [UInt8](repeating: 0, count: 200_000)),
      parts: ["train-labels", "goes on after its end"]),
  ]

  private static func damaged(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    bytes[500] ^= 1
    return bytes
  }

  @Test("damaged files are refused", arguments: damages)
  func damage(_ damage: Damage) {
    expectError(.malformed, naming: damage.parts) { try load(damage.images, damage.labels) }
  }

  @Test("every cut of a small file is refused without a crash")
  func everyCut() {
    let packed = gzip(Self.labels())
    for end in 0..<packed.count {
      expectError(.malformed, naming: ["train-labels"]) {
        try load(Self.images(), Array(packed.prefix(end)))
      }
    }
  }

  @Test("no change of one byte of a gzip file crashes, and none goes unseen but the free ones")
  func everyFlip() throws {
    let packed = gzip(Self.labels())
    for place in packed.indices {
      var bytes = packed
      bytes[place] ^= 0x55
      do {
        let set = try load(Self.images(), bytes)
        // Time, extra flags and system of the gzip header mean nothing.
        #expect((4..<10).contains(place), "byte \(place)")
        #expect(set.labels == [5, 0, 9])
      } catch {
        #expect(error is DatasetError)
      }
    }
  }

  @Test("files that are not there are named, with what to do")
  func missing() throws {
    let folder = try TemporaryDirectory()
    expectError(.missingFile, naming: ["train-images-idx3-ubyte", "MNIST/raw", folder.path]) {
      try ImageDataset.loadTrain(.mnist, from: folder.path)
    }
    try folder.write("train-images-idx3-ubyte", Self.images())
    expectError(.missingFile, naming: ["train-labels-idx1-ubyte", "does not exist"]) {
      try ImageDataset.loadTrain(.mnist, from: folder.path)
    }
    expectError(.missingFile, naming: ["t10k-images"]) {
      try ImageDataset.loadTest(.mnist, from: folder.path)
    }
  }
}

/// A gzip file of these bytes, in stored blocks, made by hand (RFC 1951, 1952).
func gzip(_ bytes: [UInt8]) -> [UInt8] {
  func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
  var file: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
  for start in stride(from: 0, to: max(1, bytes.count), by: 65535) {
    let block = bytes[start..<min(start + 65535, bytes.count)]
    let length = UInt16(block.count)
    file.append(start + 65535 >= bytes.count ? 1 : 0)
    file += littleEndian(length) + littleEndian(~length) + block
  }
  return file + littleEndian(crc32(bytes)) + littleEndian(UInt32(bytes.count))
}
