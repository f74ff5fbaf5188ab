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
    let writing = try #require(throws: NetworkError.self) {
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

  @Test func keepsTheOldFileWhenTheNewOneCannotBePutInPlace() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/weights.safetensors"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(throws: NetworkError.self) { try SafeTensors().write(to: path) }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["weights.safetensors"])
  }

  @Test(.enabled(if: Files.exists(URL(fileURLWithPath: "/dev/full")), "needs /dev/full"))
  func tellsAFullDiskFromOtherFailures() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    defer { close(descriptor) }
    let full = try #require(throws: NetworkError.self) {
      try AtomicFile.write([1, 2, 3], to: descriptor, path: "w.safetensors")
    }
    #expect(full.kind == .diskFull)
    #expect(full.description.contains("No space left"))
    #expect(NetworkError.writing("w", code: EDQUOT).kind == .diskFull)
    #expect(NetworkError.writing("w", code: EACCES).kind == .permission)
    #expect(NetworkError.writing("w", code: EROFS).kind == .permission)
    for code in [EIO, EFBIG, EPIPE] {
      #expect(NetworkError.writing("w", code: code).kind == .cannotWrite)
    }
    #expect(NetworkError.writing("w", code: ENAMETOOLONG).kind == .cannotCreate)
  }

  @Test func aLinkStaysAndItsFileIsReplaced() throws {
    let folder = try TemporaryDirectory()
    let (file, link) = (folder.path + "/file", folder.path + "/link")
    try AtomicFile.write([1], to: file)
    #expect(symlink("file", link) == 0)
    #expect(chmod(file, 0o640) == 0)
    try AtomicFile.write([2, 3], to: link)
    var found = stat()
    #expect(stat(file, &found) == 0 && found.st_mode & 0o777 == 0o640)
    #expect(FileManager.default.contents(atPath: file) == Data([2, 3]))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "file")
    try FileManager.default.removeItem(atPath: file)
    let error = #expect(throws: NetworkError.self) { try AtomicFile.write([4], to: link) }
    #expect(error?.description.contains("is a link to a file that is not there") == true)
  }

  /// Memory that is a folder below /dev, where people put what should be fast.
  @Test(.enabled(if: access("/dev/shm", W_OK) == 0, "needs /dev/shm"))
  func aFileInSharedMemoryIsReplaced() throws {
    let folder = "/dev/shm/atomic-file-\(UUID())"
    #expect(mkdir(folder, 0o700) == 0)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try AtomicFile.write([1, 2, 3], to: folder + "/file")
    try AtomicFile.write([4], to: folder + "/file")
    #expect(FileManager.default.contents(atPath: folder + "/file") == Data([4]))
  }

  /// The lines that stand there already are those of whoever opened it.
  @Test func whatIsOpenAlreadyIsAddedTo() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/file"
    try AtomicFile.write([1], to: path)
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    try AtomicFile.write([2], to: "/dev/fd/\(descriptor)")
    #expect(FileManager.default.contents(atPath: path) == Data([1, 2]))
  }

  @Test func aPipeIsWrittenToAndStays() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/pipe"
    #expect(mkfifo(path, 0o600) == 0)
    let reader = open(path, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    try AtomicFile.requireWritable(path)
    try AtomicFile.write([1, 2, 3], to: path)
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(read(reader, &bytes, 8) == 3)
    #expect(bytes.prefix(3) == [1, 2, 3])
    var found = stat()
    #expect(lstat(path, &found) == 0 && found.st_mode & S_IFMT == S_IFIFO)
  }

  @Test func whatCannotBeWrittenIsSaidBeforehand() throws {
    let folder = try TemporaryDirectory()
    for path in [folder.path + "/none/file", folder.path] {
      #expect(throws: NetworkError.self) { try AtomicFile.requireWritable(path) }
    }
    try AtomicFile.write([1], to: folder.path + "/file")
    try AtomicFile.requireWritable(folder.path + "/file")
    #expect(FileManager.default.contents(atPath: folder.path + "/file") == Data([1]))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
  }

  @Test func refusesASecondWriterOfOneFile() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/weights.safetensors"
    let other = open(path + ".partial", O_RDWR | O_CREAT, 0o644)
    defer { close(other) }
    #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
    let error = try #require(throws: NetworkError.self) { try SafeTensors().write(to: path) }
    #expect(error.description.contains("another process"))
    #expect(Files.exists(URL(fileURLWithPath: path + ".partial")))
  }
}
