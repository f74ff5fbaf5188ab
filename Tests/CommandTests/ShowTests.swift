import Foundation
import Testing

/// `show`: the picture that the teacher saw and what it said.
struct ShowTests {
  private let scratch: Scratch
  private let cache: String

  init() throws {
    scratch = try Scratch()
    cache = scratch.path + "/cache"
    let made = try Program.run(
      "teacher-dump",
      [
        "--dataset", "mnist", "--data", Program.digits, "--subset", try scratch.subset(),
        "--teacher", try scratch.teacher(), "--views", "weak:all,strong:1,plain", "--cache", cache,
      ])
    try #require(made.status == 0, "\(made.errors)")
  }

  private func show(_ image: Int, _ view: String, _ more: String...) throws -> Program.Result {
    try Program.run(
      "teacher-dump",
      [
        "show", cache, "--data", Program.digits, "--image", String(image), "--view", view, "--png",
        scratch.path + "/seen.png",
      ] + more)
  }

  @Test(arguments: ["plain", "strong:0", "crop:24"])
  func aViewIsShown(view: String) throws {
    let result = try show(40, view)
    #expect(result.status == 0, "\(result.errors)")
    let read = try Program.json(
      Program.run("teacher-dump", ["read", cache, "--image", "40", "--view", view, "--json"]).output
    )
    let top = try #require(read["top5"] as? [Int])
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(lines.first == "image 40, view \(view)")
    #expect(lines[1] == "label \(read["label"] ?? "")")
    #expect(lines.count == 2 + 5 + 1)
    for (line, label) in zip(lines[2...], top) { #expect(line.contains(" % \(label)")) }
    let confidence = try #require(read["confidence"] as? Double)
    #expect(lines.last == "confidence \(String(format: "%.4f", confidence))")
    // The signature and the header's sizes (PNG specification, 5.2 and 11.2.2): 28 × 14 wide.
    let png = try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/seen.png"))
    #expect(Array(png.prefix(8)) == [137, 80, 78, 71, 13, 10, 26, 10])
    #expect(Array(png[16..<20]) == [0, 0, 1, 136])
    let left = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
    #expect(!left.contains { $0.hasSuffix(".partial") })
  }

  @Test func aWeakRoundIsFoundAsTheCropThatItDraws() throws {
    let result = try show(40, "weak:7")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("view crop:"))
    let text = try Program.run(
      "teacher-dump", ["read", cache, "--image", "40", "--view", "weak:7"])
    #expect(text.output.hasPrefix("image 40, view weak:7 (stored as crop:"), "\(text.output)")
    let read = try Program.run(
      "teacher-dump", ["read", cache, "--image", "40", "--view", "weak:7", "--json"])
    #expect(read.status == 0, "\(read.errors)")
    let record = try Program.json(read.output)
    #expect(record["view"] as? String == "weak:7")  // as asked, so that scripts find it again
    #expect((record["stored_view"] as? String)?.hasPrefix("crop:") == true)
  }

  @Test func whatIsNotThereIsRefusedWithoutAPicture() throws {
    for (image, view, status) in [
      (41, "plain", Int32(66)), (40, "strong:1", 66), (40, "crop:25", 64), (40, "soft:1", 64),
      (-1, "weak:3", 64),
    ] {
      let result = try show(image, view)
      #expect(result.status == status, "\(image) \(view): \(result.errors)")
      #expect(result.output.isEmpty)
    }
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/seen.png"))
    let unwritable = try show(40, "plain", "--png", "/nonexistent/folder/seen.png")
    #expect(unwritable.status == 73, "\(unwritable.errors)")
  }

  @Test func otherImagesAreNotShown() throws {
    let images = scratch.path + "/images"
    try FileManager.default.copyItem(atPath: Program.digits, toPath: images)
    // The test labels in place of the first training labels' file: as many bytes, other digits.
    let labels = URL(fileURLWithPath: images + "/train-labels-idx1-ubyte.gz")
    let unpacked = try Self.gunzip(labels)
    var changed = unpacked
    changed[8 + 40] = (changed[8 + 40] + 1) % 10
    try FileManager.default.removeItem(at: labels)
    try changed.write(to: URL(fileURLWithPath: images + "/train-labels-idx1-ubyte"))
    let result = try show(40, "plain", "--data", images)
    #expect(result.status == 65, "\(result.errors)")
    #expect(result.errors.contains("datasetHash (--data)"))
  }

  private static func gunzip(_ file: URL) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-dc", file.path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = Program.everything(from: output)
    process.waitUntilExit()
    return data
  }
}
