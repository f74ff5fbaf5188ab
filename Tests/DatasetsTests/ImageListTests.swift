import Datasets
import TestSupport
import Testing

@Suite("Lists of images")
struct ImageListTests {
  private func indices(_ text: String, images: Int = 100) throws -> [Int] {
    let folder = try TemporaryDirectory()
    let file = try folder.write("list.txt", Array(text.utf8))
    return try Subset.list(file).indices(
      labels: [Int](repeating: 0, count: images), classes: 1)
  }

  @Test(
    "one id a line; blank lines, spaces and comments do not count",
    arguments: [
      ("3\n1\n2\n", [1, 2, 3]), ("99", [99]), ("0\r\n5\r\n", [0, 5]),
      ("# head\n\n  7 # tail\n\t8\n#9\n", [7, 8]), ("007\n", [7]),
    ])
  func reads(_ text: String, _ ids: [Int]) throws {
    #expect(try indices(text) == ids)
  }

  @Test(
    "anything else is refused, naming the line",
    arguments: [
      ("1\n2\nthree\n", "line 3: \"three\""), ("1\n-2\n", "line 2: \"-2\""),
      ("1 2\n", "line 1: \"1 2\""), ("1,2\n", "line 1"),
      ("1\n\n100\n", "line 3: there is no image 100"),
      ("5\n6\n5\n", "line 3: image 5 stands in line 1"), ("1\n+2", "line 2"), ("0x10\n", "line 1"),
      ("1.0\n", "line 1"), ("4294967297000000\n", "line 1"), ("\u{FEFF}1\n", "line 1"),
      ("1\n\u{0}\n", "line 2"), ("", "lists no image"), ("# nothing\n\n", "lists no image"),
    ])
  func refuses(_ text: String, _ part: String) {
    expectError(.malformed, naming: [part, "list.txt"]) {
      try indices(text)
    }
  }

  @Test("a missing list, a folder and a file that is too large are refused")
  func badFiles() throws {
    let folder = try TemporaryDirectory()
    let labels = [0, 0, 0]
    expectError(.missingFile, naming: ["nowhere.txt", "does not exist"]) {
      try Subset.list(folder.path + "/nowhere.txt").indices(labels: labels, classes: 1)
    }
    expectError(.malformed, naming: [folder.path, "not a file"]) {
      try Subset.list(folder.path).indices(labels: labels, classes: 1)
    }
    let large = try folder.write("large.txt", [UInt8](repeating: 10, count: 16 << 20 | 1))
    expectError(.malformed, naming: ["large.txt", "16777217", "at most 16777216"]) {
      try Subset.list(large).indices(labels: labels, classes: 1)
    }
    let packed = try folder.write("list.gz", gzip(Array("1\n2\n".utf8)))
    expectError(.malformed, naming: ["list.gz", "line 1"]) {
      try Subset.list(packed).indices(labels: labels, classes: 1)
    }
  }
}
