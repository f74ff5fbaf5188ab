/// CIFAR-10 and CIFAR-100 in the publisher's "binary version".
///
/// A file is a row of records: the label bytes (CIFAR-10: the class; CIFAR-100: the coarse and then
/// the fine class, of which the fine one counts), then 32×32 red, green and blue bytes, plane by
/// plane. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
package struct CIFAR: Sendable {
  package let classes: Int
  /// Bytes before the pixels, the last of which is the label.
  package let labelBytes: Int
  package let folder: String
  package let trainFiles: [String]
  package let testFiles: [String]
  /// Records in every train file and in the test file. Nothing in a file says how many it has, so
  /// only this tells a file that was cut between two records.
  package let trainRecords: Int
  package let testRecords: Int

  /// CIFAR-10; the numbers of records are the publisher's.
  package static func ten(trainRecords: Int = 10_000, testRecords: Int = 10_000) -> CIFAR {
    CIFAR(
      classes: 10, labelBytes: 1, folder: "cifar-10-batches-bin",
      trainFiles: (1...5).map { "data_batch_\($0).bin" }, testFiles: ["test_batch.bin"],
      trainRecords: trainRecords, testRecords: testRecords)
  }

  /// CIFAR-100; the numbers of records are the publisher's.
  package static func hundred(trainRecords: Int = 50_000, testRecords: Int = 10_000) -> CIFAR {
    CIFAR(
      classes: 100, labelBytes: 2, folder: "cifar-100-binary", trainFiles: ["train.bin"],
      testFiles: ["test.bin"], trainRecords: trainRecords, testRecords: testRecords)
  }

  /// Reads the training images from the folder with the files or its parent.
  package func train(from directory: String) throws(DatasetError) -> ImageSet {
    try read(trainFiles, records: trainRecords, from: directory)
  }

  /// Reads the test images from the folder with the files or its parent.
  package func test(from directory: String) throws(DatasetError) -> ImageSet {
    try read(testFiles, records: testRecords, from: directory)
  }

  private static let plane = 32 * 32
  private var recordBytes: Int { labelBytes + 3 * Self.plane }

  private func read(
    _ files: [String], records: Int, from directory: String
  ) throws(DatasetError) -> ImageSet {
    let found = try DataFolder(
      directory, subfolders: [folder], files: files,
      advice: "give the folder with the publisher's binary version, or get it with "
        + "tools/get-data cifar\(classes)")
    var labels: [Int] = []
    var pixels = [UInt8](repeating: 0, count: files.count * records * 3 * Self.plane)
    for (index, file) in files.enumerated() {
      try read(
        found.file(file), records: records, labels: &labels, pixels: &pixels,
        at: index * records * 3 * Self.plane)
    }
    return ImageSet(height: 32, width: 32, classes: classes, labels: labels, pixels: pixels)
  }

  /// Reads one file, a thousand records at a time, so that the file is never in memory as a whole.
  private func read(
    _ path: String, records: Int, labels: inout [Int], pixels: inout [UInt8], at offset: Int
  ) throws(DatasetError) {
    let stream = try ByteStream(path, gzip: false)
    let expected = "\(records) records of \(recordBytes) bytes, \(records * recordBytes) in all"
    guard stream.fileSize == records * recordBytes else {
      throw DatasetError(
        .malformed,
        "\(path) has \(stream.fileSize) bytes; expected \(expected); download it again")
    }
    var chunk = [UInt8](repeating: 0, count: min(records, 1000) * recordBytes)
    var position = offset
    for start in stride(from: 0, to: records, by: 1000) {
      let bytes = min(1000, records - start) * recordBytes
      guard try stream.read(bytes, into: &chunk) == bytes else {
        throw DatasetError(
          .malformed, "\(path) ended while it was read; expected \(expected)")
      }
      for record in 0..<bytes / recordBytes {
        let label = Int(chunk[record * recordBytes + labelBytes - 1])
        guard label < classes else {
          throw DatasetError(
            .malformed,
            "\(path): record \(start + record) has label \(label); expected 0…\(classes - 1)")
        }
        labels.append(label)
        interleave(
          chunk.span, at: record * recordBytes + labelBytes, into: &pixels, at: position)
        position += 3 * Self.plane
      }
    }
    try stream.expectEnd(expected)
  }

  /// Turns three planes into pixels of three bytes.
  private func interleave(
    _ planes: Span<UInt8>, at start: Int, into pixels: inout [UInt8], at position: Int
  ) {
    var output = pixels.mutableSpan
    for i in 0..<Self.plane {
      output[position + 3 * i] = planes[start + i]
      output[position + 3 * i + 1] = planes[start + Self.plane + i]
      output[position + 3 * i + 2] = planes[start + 2 * Self.plane + i]
    }
  }
}
