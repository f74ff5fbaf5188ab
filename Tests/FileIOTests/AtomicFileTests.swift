import FileIO
import Foundation
import TestSupport
import Testing

@Suite struct AtomicFileTests {
  @Test func keepsTheOldFileWhenTheNewOneCannotBePutInPlace() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/file"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(throws: FileError.self) { try AtomicFile.write([1], to: path) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
  }

  @Test(.enabled(if: Files.exists(URL(fileURLWithPath: "/dev/full")), "needs /dev/full"))
  func tellsAFullDiskFromOtherFailures() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    defer { close(descriptor) }
    let full = try #require(throws: FileError.self) {
      try AtomicFile.write([1, 2, 3], to: descriptor, path: "w")
    }
    #expect(full.kind == .diskFull)
    #expect(full.description.contains("No space left"))
    #expect(FileError(writing: "w", code: EDQUOT).kind == .diskFull)
    #expect(FileError(writing: "w", code: EACCES).kind == .permission)
    #expect(FileError(writing: "w", code: EROFS).kind == .permission)
    for code in [EIO, EFBIG, EPIPE] {
      #expect(FileError(writing: "w", code: code).kind == .cannotWrite)
    }
    #expect(FileError(writing: "w", code: ENAMETOOLONG).kind == .cannotCreate)
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
    let error = #expect(throws: FileError.self) { try AtomicFile.write([4], to: link) }
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
      #expect(throws: FileError.self) { try AtomicFile.requireWritable(path) }
    }
    try AtomicFile.write([1], to: folder.path + "/file")
    try AtomicFile.requireWritable(folder.path + "/file")
    #expect(FileManager.default.contents(atPath: folder.path + "/file") == Data([1]))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
  }

  @Test func refusesASecondWriterOfOneFile() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/file"
    let other = open(path + ".partial", O_RDWR | O_CREAT, 0o644)
    defer { close(other) }
    #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
    let error = try #require(throws: FileError.self) { try AtomicFile.write([1], to: path) }
    #expect(error.description.contains("another process"))
    #expect(Files.exists(URL(fileURLWithPath: path + ".partial")))
  }

  @Test func whoWritesTheSameFileIsWaitedFor() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/file"
    let other = open(path + ".partial", O_RDWR | O_CREAT, 0o644)
    #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
    Thread.detachNewThread {
      usleep(200_000)
      close(other)
    }
    try AtomicFile.write([1], to: path)
    #expect(FileManager.default.contents(atPath: path) == Data([1]))
  }
}
