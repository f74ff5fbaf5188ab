import Foundation
import Networks
import TestSupport
import Testing

/// A file that must be refused, and a piece of the message that says why.
struct HostileFile: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let bytes: [UInt8]
  let reason: String

  init(_ name: String, header: String, data: Int, reason: String) {
    self.init(name, header: Array(header.utf8), data: data, reason: reason)
  }

  init(_ name: String, header: [UInt8], data: Int, reason: String) {
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    self.init(
      name, bytes: length + header + [UInt8](repeating: 0, count: data), reason: reason)
  }

  init(_ name: String, bytes: [UInt8], reason: String) {
    testDescription = name
    self.bytes = bytes
    self.reason = reason
  }

  static func entry(_ shape: String, _ offsets: String, dtype: String = "F32") -> String {
    #"{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  static let all: [HostileFile] = containers + texts + entries + layouts

  static let containers = [
    HostileFile("an empty file", bytes: [], reason: "0 bytes are too few"),
    HostileFile(
      "a cut-off length", bytes: [2, 0, 0, 0, 0, 0, 0], reason: "7 bytes are too few"),
    HostileFile(
      "a length beyond 64-bit signed", bytes: [UInt8](repeating: 255, count: 8),
      reason: "18446744073709551615"),
    HostileFile("a zip file (PyTorch)", bytes: Array("PK\u{3}\u{4}....".utf8), reason: ".pth"),
    HostileFile(
      "a header of 16 MiB + 1", bytes: [1, 0, 0, 1, 0, 0, 0, 0], reason: "16777217"),
    HostileFile(
      "a cut-off header", bytes: [9, 0, 0, 0, 0, 0, 0, 0, 0x7b], reason: "cut off"),
    HostileFile("an empty header", header: "", data: 0, reason: "does not begin with '{'"),
    HostileFile("a leading space", header: " {}", data: 0, reason: "does not begin with '{'"),
    HostileFile(
      "bytes that are not UTF-8", header: Array("{\"".utf8) + [0xff] + Array("\":{}}".utf8),
      data: 0, reason: "not valid UTF-8"),
  ]

  static let texts = [
    HostileFile("an unclosed object", header: "{", data: 0, reason: "expected"),
    HostileFile("text after the object", header: "{}x", data: 0, reason: "follows"),
    HostileFile(
      "a trailing comma", header: "{\"a\":\(entry("[]", "[0,4]")),}", data: 4, reason: "'}'"),
    HostileFile("an unclosed string", header: #"{"a"#, data: 0, reason: "closing quote"),
    HostileFile("an unknown escape", header: #"{"\x":1}"#, data: 0, reason: "unknown escape"),
    HostileFile("half a surrogate pair", header: #"{"\ud800":1}"#, data: 0, reason: "surrogate"),
    HostileFile("a control character", header: "{\"a\nb\":1}", data: 0, reason: "control"),
    HostileFile(
      "metadata that is no string", header: #"{"__metadata__":{"a":1}}"#, data: 0,
      reason: "expected '\"', found '1'"),
    HostileFile(
      "nested metadata", header: #"{"__metadata__":{"a":{}}}"#, data: 0, reason: "found '{'"),
    HostileFile(
      "metadata twice", header: #"{"__metadata__":{},"__metadata__":{}}"#, data: 0,
      reason: "\"__metadata__\" comes twice"),
    HostileFile(
      "a metadata key twice", header: #"{"__metadata__":{"a":"","\u0061":""}}"#, data: 0,
      reason: "\"a\" comes twice"),
    HostileFile(
      "100,000 open brackets",
      header: #"{"a":{"shape":"# + String(repeating: "[", count: 100_000), data: 0,
      reason: "non-negative integer"),
  ]

  static let entries = [
    HostileFile(
      "a name twice", header: "{\"a\":\(entry("[1]", "[0,4]")),\"a\":\(entry("[1]", "[4,8]"))}",
      data: 8, reason: "\"a\" comes twice"),
    HostileFile(
      "a field twice", header: #"{"a":{"dtype":"F32","dtype":"F32"}}"#, data: 0,
      reason: "\"dtype\" comes twice"),
    HostileFile(
      "an unknown field", header: #"{"a":{"stride":[1]}}"#, data: 0, reason: "unknown field"),
    HostileFile(
      "no offsets", header: #"{"a":{"dtype":"F32","shape":[1]}}"#, data: 4,
      reason: "no \"data_offsets\""),
    HostileFile(
      "an unknown element type", header: "{\"a\":\(entry("[1]", "[0,1]", dtype: "F8_E4M3"))}",
      data: 1, reason: "F8_E4M3"),
    HostileFile(
      "a negative length", header: "{\"a\":\(entry("[-1]", "[0,4]"))}", data: 4,
      reason: "found '-'"),
    HostileFile(
      "a fraction", header: "{\"a\":\(entry("[1.0]", "[0,4]"))}", data: 4, reason: "fraction"),
    HostileFile(
      "an exponent", header: "{\"a\":\(entry("[1e0]", "[0,4]"))}", data: 4, reason: "exponent"),
    HostileFile(
      "a leading zero", header: "{\"a\":\(entry("[01]", "[0,4]"))}", data: 4,
      reason: "leading zero"),
    HostileFile(
      "an integer beyond 64 bits",
      header: "{\"a\":\(entry("[99999999999999999999]", "[0,4]"))}", data: 4, reason: "64 bits"),
    HostileFile(
      "a shape that overflows",
      header: "{\"a\":\(entry("[4294967296,4294967296]", "[0,0]"))}", data: 0,
      reason: "overflows"),
    HostileFile(
      "65 dimensions",
      header:
        "{\"a\":\(entry("[" + [String](repeating: "1", count: 65).joined(separator: ",") + "]", "[0,4]"))}",
      data: 4, reason: "more than 64 numbers"),
    HostileFile(
      "one offset", header: "{\"a\":\(entry("[1]", "[0]"))}", data: 4,
      reason: "not a begin and an end"),
    HostileFile(
      "offsets backwards", header: "{\"a\":\(entry("[0]", "[4,0]"))}", data: 4,
      reason: "not a begin and an end"),
    HostileFile(
      "a shape that does not fill its bytes", header: "{\"a\":\(entry("[2]", "[0,4]"))}", data: 4,
      reason: "takes 8 bytes"),
  ]

  static let layouts = [
    HostileFile(
      "a hole at the start", header: "{\"a\":\(entry("[1]", "[4,8]"))}", data: 8, reason: "hole"),
    HostileFile(
      "a hole between", header: "{\"a\":\(entry("[1]", "[0,4]")),\"b\":\(entry("[1]", "[8,12]"))}",
      data: 12, reason: "hole"),
    HostileFile(
      "an overlap", header: "{\"a\":\(entry("[2]", "[0,8]")),\"b\":\(entry("[1]", "[4,8]"))}",
      data: 8, reason: "overlaps"),
    HostileFile(
      "two names for the same bytes",
      header: "{\"a\":\(entry("[1]", "[0,4]")),\"b\":\(entry("[1]", "[0,4]"))}", data: 4,
      reason: "overlaps"),
    HostileFile(
      "a cut-off data part", header: "{\"a\":\(entry("[2]", "[0,8]"))}", data: 7,
      reason: "cut off"),
    HostileFile(
      "bytes after the last array", header: "{\"a\":\(entry("[1]", "[0,4]"))}", data: 5,
      reason: "appended"),
    HostileFile("data without arrays", header: "{}", data: 1, reason: "appended"),
  ]
}

@Suite struct HostileSafeTensorsTests {
  @Test(arguments: HostileFile.all)
  func refusesAHostileFileAndSaysWhy(_ file: HostileFile) throws {
    let error = try #require(throws: NetworkError.self) {
      try SafeTensors(parsing: file.bytes, path: "evil.safetensors")
    }
    #expect(error.kind == .malformed)
    #expect(error.description.contains(file.reason))
    #expect(error.description.hasPrefix("evil.safetensors: "))
  }

  @Test func acceptsWhatTheFormatAllows() throws {
    let spaced =
      "{ \"\\u00e9\\ud83d\\ude42\" :\n{\"shape\":[ ],\"dtype\":\"F32\",\"data_offsets\":[0 , 4]} } "
    let bytes = HostileFile("", header: spaced, data: 4, reason: "").bytes
    let file = try SafeTensors(parsing: bytes, path: "sound.safetensors")
    #expect(file.tensors["é🙂"]?.floats == [0])
  }

  @Test func refusesTooManyArrays() throws {
    let names = (0...200_000)
      .map { "\"\($0)\":\(HostileFile.entry("[0]", "[0,0]"))" }
    let header = "{" + names.joined(separator: ",") + "}"
    let file = HostileFile("", header: header, data: 0, reason: "")
    let error = try #require(throws: NetworkError.self) {
      try SafeTensors(parsing: file.bytes, path: "evil.safetensors")
    }
    #expect(error.description.contains("more than 200000 arrays"))
  }

  /// A file of a few bytes on the disk may claim to have any number.
  @Test func refusesAFileLargerThanAnyNetwork() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/large.safetensors"
    try Data(count: 16).write(to: URL(fileURLWithPath: path))
    #expect(truncate(path, 3 << 30) == 0)
    let error = try #require(throws: NetworkError.self) { try SafeTensors.read(path) }
    #expect(error.kind == .malformed && error.description.contains("at most 2147483648"))
  }

  @Test func neverTrapsOnACutOrChangedFile() throws {
    let url = Locations.fixtures.appendingPathComponent("reference.safetensors")
    let sound = try Array(Data(contentsOf: url))
    for length in 0..<sound.count {
      #expect(throws: NetworkError.self) {
        try SafeTensors(parsing: Array(sound[..<length]), path: "cut")
      }
    }
    var refused = 0
    for position in 0..<sound.count {
      for byte: UInt8 in [0, 0x22, 0x2c, 0x39, 0x5b, 0x7b, 0xff] {
        var changed = sound
        changed[position] = byte
        do { _ = try SafeTensors(parsing: changed, path: "changed") } catch { refused += 1 }
      }
    }
    #expect(refused > 1000)
  }
}
