import Testing

@testable import Reporting

struct TextTests {
  @Test func jsonKeepsTheOrderOfItsMembers() {
    let value = JSONValue.object([
      ("b", .integer(1)), ("a", .array([.null, .bool(true), .number(0.1), .single(0.1)])),
    ])
    #expect(value.text == #"{"b":1,"a":[null,true,0.1,0.1]}"#)
    #expect(value.lines == "{\n  \"b\": 1,\n  \"a\": [null,true,0.1,0.1]\n}")
  }

  @Test func jsonEscapesWhatItMust() {
    #expect(JSONValue.string("a\"b\\c\n\u{1}é").text == #""a\"b\\c\n\u0001é""#)
    #expect(JSONValue.string("\u{7f}\u{9b}").text == #""\u007f\u009b""#)
  }

  @Test func jsonHasNoNumbersThatAreNone() {
    #expect(JSONValue.number(.nan).text == "null")
    #expect(JSONValue.single(-.infinity).text == "null")
  }

  @Test func singlesParseBackToTheSameBits() throws {
    for bits: UInt32 in [0x3dcc_cccd, 1, 0x7f7f_ffff, 0x8000_0000, 0x4b80_0001] {
      let value = Float(bitPattern: bits)
      let parsed = try #require(Float(JSONValue.single(value).text))
      #expect(parsed.bitPattern == bits)
    }
  }

  @Test(arguments: [
    (0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3600, "1 h 00 min"),
    (-1, "?"), (Double.nan, "?"),
  ])
  func durations(seconds: Double, text: String) {
    #expect(durationText(seconds) == text)
  }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"),
    (.min, "-9,223,372,036,854,775,808"),
  ])
  func thousands(number: Int, text: String) {
    #expect(grouped(number) == text)
  }

  @Test(arguments: [
    (1234, 5000, 3.577, "1,234 of 5,000 views  11 s left  344 views/s"),
    (9000, 9000, 2, "9,000 of 9,000 views  0 s left  4,500 views/s"),
    (0, 10, 0, "0 of 10 views  ? left  0 views/s"),
    (64, 128, 0, "64 of 128 views  0 s left  64,000 views/s"),
  ])
  func progress(done: Int, total: Int, seconds: Double, text: String) {
    #expect(progressText(done, of: total, "views", seconds: seconds) == text)
  }

  @Test(arguments: [(999, "999 B"), (1500, "1.5 kB"), (2_000_000_000, "2.0 GB")])
  func sizes(bytes: Int, text: String) {
    #expect(bytesText(bytes) == text)
  }

  @Test func nothingThatIsPrintedMovesTheCursor() {
    #expect(withoutControls("a\tb\n\u{1b}[2J\u{9b}é\u{7f}") == "a\tb\n\\u{1B}[2J\\u{009B}é\\u{7F}")
    #expect(withoutControls("schön\n") == "schön\n")
  }
}
