import Datasets
import Foundation
import TestSupport
import Testing

@Suite("CIFAR files")
struct CIFARTests {
  /// The bytes of records whose pixel in channel c at position p is (record + 50·c + p) & 255.
  private func records(_ labels: [[UInt8]]) -> [UInt8] {
    labels.enumerated().flatMap { record, label in
      label + (0..<3).flatMap { c in (0..<1024).map { UInt8((record + 50 * c + $0) & 255) } }
    }
  }

  private let three = CIFAR.hundred(trainRecords: 3, testRecords: 2)
  private let labels: [[UInt8]] = [[19, 99], [0, 7], [3, 0]]

  @Test("planes become pixels and the fine label counts", arguments: ["", "cifar-100-binary/"])
  func readsCIFAR100(_ subfolder: String) throws {
    let folder = try TemporaryDirectory()
    try folder.write(subfolder + "train.bin", records(labels))
    try folder.write(subfolder + "test.bin", records([[1, 1], [2, 2]]))
    for end in ["", "/"] {
      let train = try three.train(from: folder.path + end)
      #expect(train.labels == [99, 7, 0])
      #expect(train.count == 3 && train.classes == 100 && train.height == 32 && train.width == 32)
      for image in 0..<3 {
        for place in 0..<1024 {
          for channel in 0..<3 {
            let expected = UInt8((image + 50 * channel + place) & 255)
            #expect(train.pixels[(image * 1024 + place) * 3 + channel] == expected)
          }
        }
      }
      #expect(try three.test(from: folder.path + end).labels == [1, 2])
    }
  }

  @Test("CIFAR-10's five files follow each other")
  func readsCIFAR10() throws {
    let folder = try TemporaryDirectory()
    for file in 1...5 {
      try folder.write(
        "cifar-10-batches-bin/data_batch_\(file).bin", records([[UInt8(file)], [9]]))
    }
    let train = try CIFAR.ten(trainRecords: 2).train(from: folder.path)
    #expect(train.labels == [1, 9, 2, 9, 3, 9, 4, 9, 5, 9])
    #expect(train.pixels[9 * 3072] == 1)
    expectError(.missingFile, naming: ["test_batch.bin", "tools/get-data cifar10"]) {
      try CIFAR.ten(trainRecords: 2).test(from: folder.path)
    }
    try FileManager.default.removeItem(
      at: folder.url.appending(path: "cifar-10-batches-bin/data_batch_3.bin"))
    expectError(.missingFile, naming: ["data_batch_3.bin", "does not exist"]) {
      try CIFAR.ten(trainRecords: 2).train(from: folder.path)
    }
  }

  @Test(
    "a file of another length is refused, even between two records",
    arguments: [0, 1, 3073, 3074, 2 * 3074, 3 * 3074 - 1, 3 * 3074 + 1, 4 * 3074])
  func otherLengths(_ bytes: Int) throws {
    let folder = try TemporaryDirectory()
    try folder.write("train.bin", Array(records(labels + labels).prefix(bytes)))
    expectError(.malformed, naming: ["train.bin", "\(bytes) bytes", "9222", "again"]) {
      try three.train(from: folder.path)
    }
  }

  @Test("a label out of range is refused, naming the record", arguments: [100, 255])
  func badLabel(_ label: UInt8) throws {
    let folder = try TemporaryDirectory()
    try folder.write("train.bin", records([[0, 0], [0, label], [0, 0]]))
    expectError(.malformed, naming: ["train.bin", "record 1", "\(label)", "0…99"]) {
      try three.train(from: folder.path)
    }
  }

  @Test("gzip data under the name of a plain file is refused")
  func gzipInstead() throws {
    let folder = try TemporaryDirectory()
    var bytes = gzip(records(labels))
    bytes = Array(bytes.prefix(9222)) + [UInt8](repeating: 0, count: max(0, 9222 - bytes.count))
    try folder.write("train.bin", bytes)
    expectError(.malformed, naming: ["train.bin"]) { try three.train(from: folder.path) }
  }

  @Test("no folder, an empty folder, a folder in place of a file, a file in place of the folder")
  func missing() throws {
    let folder = try TemporaryDirectory()
    expectError(.missingFile, naming: ["/nowhere", "tools/get-data cifar100"]) {
      try three.train(from: folder.path + "/nowhere")
    }
    expectError(.missingFile, naming: ["train.bin", "cifar-100-binary", "tools/get-data"]) {
      try three.train(from: folder.path)
    }
    try folder.write("train.bin/inside", [1])
    expectError(.malformed, naming: ["train.bin", "not a file"]) {
      try three.train(from: folder.path)
    }
    let file = try folder.write("plain-file", [1])
    expectError(.missingFile, naming: ["plain-file"]) { try three.train(from: file) }
    expectError(.missingFile, naming: []) { try three.train(from: "") }
    expectError(.missingFile, naming: []) {
      try three.train(from: String(repeating: "x/", count: 5000))
    }
  }

  @Test("a named pipe is refused instead of waited for")
  func namedPipe() throws {
    let folder = try TemporaryDirectory()
    #expect(mkfifo(folder.path + "/train.bin", 0o600) == 0)
    expectError(.malformed, naming: ["train.bin", "not a file"]) {
      try three.train(from: folder.path)
    }
  }

  @Test("a file that may not be read", .enabled(if: getuid() != 0, "root may read everything"))
  func unreadable() throws {
    let folder = try TemporaryDirectory()
    let file = try folder.write("train.bin", records(labels))
    #expect(chmod(file, 0) == 0)
    expectError(.permission, naming: ["train.bin", "may not be read"]) {
      try three.train(from: folder.path)
    }
  }

  @Test(
    "the real data sets: sizes, balance, first and last labels",
    .enabled(if: Files.cifar != nil, "needs CIFAR_ROOT or .build/reference-data"))
  func realCIFAR100() throws {
    let data = try ImageDataset.load(.cifar100, from: #require(Files.cifar).path)
    #expect(data.train.count == 50_000 && data.test.count == 10_000)
    var counts = [Int](repeating: 0, count: 100)
    for label in data.train.labels { counts[label] += 1 }
    #expect(counts.allSatisfy { $0 == 500 })
    // Train mean per channel over bytes/255, as published with the files.
    var sums = [0, 0, 0]
    for (i, value) in data.train.pixels.enumerated() { sums[i % 3] += Int(value) }
    let means = sums.map { Double($0) / (255 * 50_000 * 1024) }
    for (mean, published) in zip(means, [0.507075, 0.486549, 0.440918]) {
      #expect(abs(mean - published) < 1e-6)
    }
  }
}
