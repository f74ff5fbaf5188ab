import Foundation
import Testing

/// Files made to mislead, each through the program that reads it: its exit code, the file's name
/// in the message, and no signal.
@Suite(.serialized) struct HostileCorpusTests {
  struct Hostile: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: Data
    let status: Int32

    init(_ name: String, _ bytes: Data, _ status: Int32 = 65) {
      (testDescription, self.bytes, self.status) = (name, bytes, status)
    }

    init(_ name: String, _ text: String, _ status: Int32 = 65) {
      self.init(name, Data(text.utf8), status)
    }
  }

  static func deep(_ bracket: String, _ count: Int = 100_000) -> String {
    String(repeating: bracket, count: count)
  }

  private static let bomb =
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + zip("bcdefgh", "abcdefg").map { "\($0): &\($0) [\(deep("*\($1),", 9))*\($1)]\n" }.joined()

  static let recipes = [
    Hostile("an alias bomb", bomb, 78),
    Hostile("deep lists", "lr: " + deep("["), 78),
    Hostile("deep mappings", deep("{a: "), 78),
    Hostile("closed deep lists", "lr: " + deep("[", 900) + deep("]", 900), 78),
    Hostile("deep blocks", (0..<1000).map { deep(" ", $0) + "a:\n" }.joined(), 78),
    Hostile("a rate that is no number", "lr: .nan", 78),
    Hostile("an infinite rate", "lr: .inf", 78),
    Hostile("negative epochs", "epochs: -3", 78),
    Hostile("more epochs than there are integers", "epochs: 99999999999999999999", 78),
    Hostile("a batch of a whole memory", "batch_size: 4611686018427387904", 78),
    Hostile("a negative temperature", "temperature: -1", 78),
    Hostile("a key twice", "epochs: 1\nepochs: 2", 78),
    Hostile("no such anchor", "lr: *x", 78),
    Hostile("an anchor in itself", "lr: &a [*a]", 78),
    Hostile("two documents", "epochs: 1\n---\nepochs: 2", 78),
    Hostile("bytes that are no UTF-8", Data([0x6C, 0x72, 0x3A, 0x20, 0xFF, 0xFE]), 78),
    Hostile("a zero byte", Data([0x6C, 0x72, 0x3A, 0x20, 0x00, 0x31]), 78),
    Hostile("a call of another language", "lr: !!python/object/apply:os.system ['true']", 78),
    Hostile("two mebibytes", deep(" ", 2 << 20), 78),
    Hostile("merged keys", "<<: {epochs: 3}", 78),
    Hostile("a list of mappings", "milestones: [{a: 1}]", 78),
  ]

  @Test(arguments: recipes)
  func recipesAreRefused(_ file: Hostile) throws {
    try expect(file, name: "recipe.yaml", "student-train") { path, scratch in
      [
        "--recipe", path, "--method", "ce", "--student", "resnet8", "--dataset", "mnist", "--data",
        Program.digits, "--output", scratch.path + "/run",
      ]
    }
  }

  static let lists = [
    Hostile("nothing", ""), Hostile("only comments", "# a\n\n#b\n"),
    Hostile("a negative id", "3\n-1\n"), Hostile("an id beyond the set", "4000\n"),
    Hostile("an id beyond all integers", "99999999999999999999999\n"),
    Hostile("two ids in a line", "1 2\n"), Hostile("a fraction", "1.5\n"),
    Hostile("hexadecimal", "0x10\n"), Hostile("an id twice", "3\n4\n3\n"),
    Hostile("a zero byte", Data([0x33, 0x00, 0x0A])), Hostile("wide digits", "３\n"),
    Hostile("a path", "../../etc/passwd\n"), Hostile("17 MiB", deep("1\n", 17 << 19)),
    Hostile("gzip", Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3])),
  ]

  @Test(arguments: lists)
  func listsAreRefused(_ file: Hostile) throws {
    try expect(file, name: "images.list", "teacher-dump") { path, scratch in
      [
        "--dataset", "mnist", "--data", Program.digits, "--subset", "list:" + path, "--teacher",
        scratch.path + SmallCache.teacher, "--views", "weak:1", "--cache", scratch.path + "/c",
      ]
    }
  }

  private static func weights(_ header: String, data: Int = 0) -> Data {
    var bytes = Data(withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) })
    bytes.append(contentsOf: header.utf8)
    return bytes + Data(count: data)
  }

  static let weightFiles = [
    Hostile("nothing", ""), Hostile("seven bytes", "1234567"),
    Hostile("a header of all memory", Data(repeating: 0xFF, count: 16)),
    Hostile("a header of 64 MiB", Data([0, 0, 0, 4, 0, 0, 0, 0, 0x7B])),
    Hostile("deep JSON", weights("{\"a\":" + deep("["))),
    Hostile(
      "a shape that overflows",
      weights(
        #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#)),
    Hostile(
      "a negative offset",
      weights(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, data: 4)),
    Hostile(
      "an end beyond the file",
      weights(#"{"a":{"dtype":"F32","shape":[99],"data_offsets":[0,396]}}"#, data: 4)),
    Hostile("no arrays", weights("{}")), Hostile("a pickle", Data([0x80, 2, 0x63, 0x6F, 0x73])),
  ]

  @Test(arguments: weightFiles)
  func weightsAreRefused(_ file: Hostile) throws {
    try expect(file, name: "evil.safetensors", "teacher-dump") { path, scratch in
      [
        "--dataset", "mnist", "--data", Program.digits, "--teacher", path, "--arch", "resnet8",
        "--views", "weak:1", "--cache", scratch.path + "/c",
      ]
    }
  }

  @Test func changedTeachersAreRefused() throws {
    let scratch = try SmallCache.scratch()
    let sound = try Data(contentsOf: URL(fileURLWithPath: scratch.path + SmallCache.teacher))
    var infinite = sound
    infinite.replaceSubrange(
      sound.count - 400..<sound.count, with: Data(repeating: 0xFF, count: 400))
    for (name, bytes) in [
      ("cut", sound.prefix(sound.count / 2)), ("longer", sound + [0]), ("not a number", infinite),
    ] {
      try bytes.write(to: URL(fileURLWithPath: scratch.path + SmallCache.teacher))
      let result = try Program.run("teacher-dump", SmallCache.dump(scratch, views: "weak:1"))
      #expect(result.status == 65, "\(name): \(result.errors)")
    }
  }

  private static func idx(_ magic: UInt8, _ numbers: [UInt32], _ body: Int, fill: UInt8 = 0) -> Data
  {
    Data([0, 0, 8, magic])
      + numbers.flatMap { number in withUnsafeBytes(of: number.bigEndian) { Array($0) } }
      + Data(repeating: fill, count: body)
  }

  private static let images = idx(3, [2, 28, 28], 1568)
  private static let labels = idx(1, [2], 2)

  /// Images and labels of a test set of two digits.
  static let digits: [(name: String, images: Data, labels: Data, culprit: String)] = [
    ("nothing", Data(), labels, "images"), ("labels as images", labels, labels, "images"),
    ("four thousand million images", idx(3, [.max, 28, 28], 0), labels, "images"),
    ("no images", idx(3, [0, 28, 28], 0), labels, "images"),
    ("images of no height", idx(3, [2, 0, 28], 0), labels, "images"),
    ("images of all memory", idx(3, [2, .max, .max], 0), labels, "images"),
    ("an image cut off", idx(3, [2, 28, 28], 1567), labels, "images"),
    ("a byte too many", idx(3, [2, 28, 28], 1569), labels, "images"),
    ("other numbers of each", idx(3, [3, 28, 28], 2352), labels, "labels"),
    ("a label beyond the classes", images, idx(1, [2], 2, fill: 10), "labels"),
    ("labels cut off", images, idx(1, [2], 1), "labels"),
    ("gzip without an end", Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]), labels, "images"),
  ]

  @Test(arguments: digits.indices)
  func digitsAreRefused(_ index: Int) throws {
    let (name, images, labels, culprit) = Self.digits[index]
    let scratch = try SmallCache.scratch()
    for (file, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
      try bytes.write(to: URL(fileURLWithPath: "\(scratch.path)/t10k-\(file)-ubyte"))
    }
    let result = try Program.run(
      "teacher-dump",
      [
        "eval", "--dataset", "mnist", "--data", scratch.path, "--teacher",
        scratch.path + SmallCache.teacher,
      ])
    #expect(result.status == 65, "\(name): \(result.errors)")
    #expect(result.errors.contains("t10k-\(culprit)"), "\(name): \(result.errors)")
  }

  static let pictures = [
    Hostile("nothing", ""), Hostile("a byte short", Data(count: 30_729_999)),
    Hostile("a byte too many", Data(count: 30_740_001)),
    Hostile("a class that there is not", Data(repeating: 100, count: 30_740_000)),
  ]

  @Test(arguments: pictures)
  func picturesAreRefused(_ file: Hostile) throws {
    try expect(file, name: "test.bin", "teacher-dump") { _, scratch in
      [
        "eval", "--dataset", "cifar100", "--data", scratch.path, "--teacher",
        try scratch.teacher(classes: 100, dataset: "cifar100"),
      ]
    }
  }

  /// What stands in the place of the manifest, or of a part of it.
  static let manifests: [(old: String?, new: String, status: Int32)] = [
    (nil, "", 65), (nil, "{", 65), (nil, "null", 65), (nil, "[]", 65), (nil, deep("["), 65),
    (nil, deep("{\"units\":"), 65), (nil, "\u{0}\u{1}", 65),
    ("\"format\" : \"teacher-cache\"", "\"format\" : \"other\"", 66),
    ("\"version\" : 1", "\"version\" : 2", 65), ("\"version\" : 1", "\"version\" : -1", 65),
    ("\"version\" : 1", "\"version\" : 1e99", 65), ("units/0", "units/../0", 65),
    ("units/0", "../../../etc/0", 65), ("units/0", "/etc/0", 65),
    ("\"records\" : 80", "\"records\" : -80", 65), ("\"records\" : 80", "\"records\" : 1e400", 65),
    ("\"bytes\" : ", "\"bytes\" : 9", 65), ("\"bytes\" : ", "\"bytes\" : -", 65),
    ("\"logitError\" : 0.", "\"logitError\" : NaN, \"a\" : 0.", 65),
    ("\"logitError\" : 0.", "\"logitError\" : 1e999, \"a\" : 0.", 65),
    ("\"classes\" : 10", "\"classes\" : 9223372036854775808", 65),
    ("\"images\" : \"0,", "\"images\" : \"0-99999999999,", 65),
    ("\"images\" : \"0,", "\"images\" : \"-0,", 65),
  ]

  @Test func manifestsAreRefused() throws {
    let (scratch, _) = try SmallCache.make()
    let cache = scratch.path + "/cache"
    let file = cache + "/manifest.json"
    let sound = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
      .filter { !$0.contains("\"checksum\"") }.joined(separator: "\n")
    for (old, new, status) in Self.manifests {
      let text = old.map { sound.replacingOccurrences(of: $0, with: new) } ?? new
      #expect(text != sound, "\(old ?? "") is not in the manifest: \(sound.prefix(2000))")
      try text.write(toFile: file, atomically: false, encoding: .utf8)
      for command in ["info", "verify"] {
        let result = try Program.run("teacher-dump", [command, cache])
        #expect(result.status == status, "\(command) of \(new.prefix(60)): \(result.errors)")
        #expect(result.output.isEmpty)
      }
    }
  }

  private func expect(
    _ file: Hostile, name: String, _ program: String,
    _ arguments: (_ path: String, _ scratch: Scratch) throws -> [String]
  ) throws {
    let scratch = try SmallCache.scratch()
    let path = scratch.path + "/" + name
    try file.bytes.write(to: URL(fileURLWithPath: path))
    let arguments = try arguments(path, scratch)
    let before = try FileManager.default.subpathsOfDirectory(atPath: scratch.path).sorted()
    let result = try Program.run(program, arguments)
    #expect(result.status == file.status, "\(result.errors)")
    #expect(result.errors.contains(name), "\(result.errors)")
    let after = try FileManager.default.subpathsOfDirectory(atPath: scratch.path).sorted()
    #expect(before == after, "a refused file must leave nothing behind")
  }
}
