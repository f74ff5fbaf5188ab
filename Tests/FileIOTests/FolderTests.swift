import FileIO
import Foundation
import TestSupport
import Testing

@Suite struct FolderTests {
  /// As dirname(1) says.
  @Test(arguments: [
    ("a", "."), ("a/b", "a"), ("a/b/", "a"), ("a//b", "a"), ("/a", "/"), ("//a", "/"), ("/", "/"),
    ("", "."),
    ("./a", "."), ("../a", ".."), ("é/\u{301}x", "é"),
  ])
  func aPathLiesInAFolder(_ path: String, _ expected: String) {
    #expect(folder(of: path) == expected)
  }

  @Test func makesFoldersAndSyncsTheNameOfEach() throws {
    let directory = try TemporaryDirectory()
    let log = DiskLog(directory.path)
    try DiskChange.$observer.withValue(DiskChange.Observer { log.note($0) }) {
      try makeFolder(directory.path + "/a/b/")
      try makeFolder(directory.path + "/a")
    }
    #expect(isFolder(directory.path + "/a/b"))
    #expect(log.count == 4)
  }

  @Test func namesTheFileThatStandsWhereAFolderIsAskedFor() throws {
    let directory = try TemporaryDirectory()
    let file = directory.path + "/file"
    try AtomicFile.write([1], to: file)
    let error = try #require(throws: FileError.self) { try makeFolder(file + "/a/b") }
    #expect(error.path == file && error.code == EEXIST && error.kind == .cannotCreate)
  }

  /// Whoever asks whether it is taken has it for a moment.
  @Test func aLockIsTakenBehindOneThatOnlyLooked() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/.lock"
    let (mine, other) = (open(path, O_RDWR | O_CREAT, 0o644), open(path, O_RDWR))
    defer { close(mine) }
    #expect(!isLocked(other))
    #expect(flock(other, LOCK_SH | LOCK_NB) == 0)
    Thread.detachNewThread {
      usleep(30_000)
      close(other)
    }
    #expect(takeLock(mine) == 0)
    let third = open(path, O_RDWR)
    defer { close(third) }
    #expect(isLocked(third))
    #expect(takeLock(third, tries: 1) == EWOULDBLOCK)
  }
}
