import FileIO
import Foundation
import Networks
import TestSupport
import Testing

@Suite struct SafeTensorsTests {
  /// What tools/reference/safetensors_fixtures.py wrote with the reference library.
  private static let note = "quote \" backslash \\ tab \t newline \n bell \u{7} é 漢 🙂"

  private static func reference() throws -> SafeTensors {
    try SafeTensors.read(Locations.fixtures.appendingPathComponent("reference.safetensors").path)
  }

  @Test func readsEveryElementTypeOfTheReferenceLibrary() throws {
    let file = try Self.reference()
    #expect(file.metadata == ["note": Self.note])
    let floats = file.tensors.mapValues(\.floats)
    #expect(floats["conv.weight"] == (0..<12).map { Float($0) / 4 - 1 })
    #expect(file.tensors["conv.weight"]?.shape == [2, 3, 1, 2])
    #expect(floats["half"] == [0, -0.0, 1.5, 65504, 0x1p-24, 0x1p-14, .infinity])
    #expect(floats["half"]?[1].sign == .minus)
    #expect(floats["bfloat"] == [0, 1, -2.5, 0x1p100])
    #expect(floats["double"] == [0.1, .infinity])
    #expect(file.tensors["bn.num_batches_tracked"]?.integers == [123_456_789_012])
    #expect(file.tensors["bn.num_batches_tracked"]?.shape == [])
    #expect(file.tensors["int"]?.integers == [-2_147_483_648, 7])
    #expect(floats["byte"] == [0, 255, 3])
    #expect(floats["flags"] == [1, 0, 1])
    #expect(file.tensors["empty"]?.shape == [0, 3])
    #expect(floats["name é 🙂"] == [3.25])
    #expect(file.tensors.count == 10)
  }

  @Test func writesTheBytesOfTheReferenceLibrary() throws {
    let url = Locations.fixtures.appendingPathComponent("reference.safetensors")
    #expect(try Self.reference().serialized() == Array(Data(contentsOf: url)))
  }

  @Test func sortsMetadataSoThatEqualContentsAreEqualBytes() throws {
    let metadata = ["std": "1", "architecture": "resnet20", "mean": "0", "format": "pt"]
    let text = String(
      decoding: SafeTensors(metadata: metadata).serialized().dropFirst(8), as: UTF8.self)
    #expect(
      text.hasPrefix(
        #"{"__metadata__":{"architecture":"resnet20","format":"pt","mean":"0","std":"1"}}"#))
    #expect(text.utf8.count % 8 == 0)
  }

  @Test func replacesAFileInOneStepAndLeavesNothingBeside() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/weights.safetensors"
    try Data("old".utf8).write(to: URL(fileURLWithPath: path))
    try Data("left by a killed program".utf8)
      .write(to: URL(fileURLWithPath: path + ".partial"))
    let file = try Self.reference()
    try file.write(to: path)
    #expect(try SafeTensors.read(path) == file)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1)
  }

  @Test func namesMissingFoldersAndFiles() throws {
    let folder = try TemporaryDirectory()
    let writing = try #require(throws: FileError.self) {
      try SafeTensors().write(to: folder.path + "/absent/weights.safetensors")
    }
    #expect(writing.kind == .cannotCreate)
    let reading = try #require(throws: NetworkError.self) {
      try SafeTensors.read(folder.path + "/absent.safetensors")
    }
    #expect(reading.kind == .missingFile)
    #expect(reading.description.contains("absent.safetensors"))
    let directory = try #require(throws: NetworkError.self) { try SafeTensors.read(folder.path) }
    #expect(directory.kind == .malformed)
  }

  /// Files with holes, which cost their maker nothing, are larger than any memory.
  @Test(arguments: [true, false])
  func aFileLargerThanMemoryIsRefusedBeforeItIsRead(hasHeader: Bool) throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/large.safetensors"
    let data = (Int(ProcessInfo.processInfo.physicalMemory) / 4096 + 1) * 4096
    let header =
      hasHeader
      ? "{\"w\":{\"dtype\":\"F32\",\"shape\":[\(data / 4)],\"data_offsets\":[0,\(data)]}}" : "{}"
    var bytes = Data([UInt8(header.utf8.count)] + [UInt8](repeating: 0, count: 7))
    bytes.append(Data(header.utf8))
    try bytes.write(to: URL(fileURLWithPath: path))
    try #require(truncate(path, off_t(bytes.count + data)) == 0)
    let error = try #require(throws: NetworkError.self) { try SafeTensors.read(path) }
    #expect(error.kind == .malformed)
  }
}
