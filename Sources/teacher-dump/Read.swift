import ArgumentParser
import CommandSupport
import Datasets
import Experiments
import Foundation
import Reporting
import TeacherCache

struct Read: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What the teacher said about one view of one image.",
    discussion: """
      Example:
        teacher-dump read caches/r56 --image 7 --view weak:3
        teacher-dump read caches/r56 --image 7 --view weak:0 --tap stage3 --json
      """)

  @Argument(help: ArgumentHelp("Folder of the cache.", valueName: "cache"))
  var cache: String
  @Option(help: ArgumentHelp("Position in the original training set.", valueName: "n"))
  var image: Int
  @Option(help: ArgumentHelp("plain, weak:N, strong:N or crop:N.", valueName: "view"))
  var view: String
  @Option(
    help: ArgumentHelp(
      "Also print the features of this tap, row by row, channels last.", valueName: "name"))
  var tap: String?
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let reader = try CacheReader.open(cache)
    let asked = try View(parsing: view)
    let named = ViewKey(image: image, view: asked)
    let key = try reader.storedKey(named)
    let record = try reader.read(image: key.image, view: key.view)
    let taps = try reader.taps(of: named)
    let values = try tap.map { try features(of: $0, at: named, in: reader) }
    let top = record.logits.indices.sorted { record.logits[$0] > record.logits[$1] }.prefix(5)
    if json {
      var members: [(String, JSONValue)] = [
        ("image", .integer(image)), ("view", .string(asked.description)),
        ("stored_view", .string(key.view.description)),
        ("label", .integer(record.label)),
        ("logits", .array(record.logits.map(JSONValue.single))),
        ("top5", .array(top.map(JSONValue.integer))),
        ("confidence", .single(record.confidence)),
        ("pixel_hash", .string(record.pixelHash.proofText)),
        (
          "features",
          .object(
            taps.map { shape in
              let sizes = [shape.height, shape.width, shape.channels].map(JSONValue.integer)
              return (shape.tap, .array(sizes))
            })
        ),
      ]
      if let values { members.append(("values", .array(values.map(JSONValue.single)))) }
      printResult(JSONValue.object(members).text)
      return
    }
    let stored = key.view == asked ? "" : " (stored as \(key.view))"
    printResult("image \(image), view \(asked)\(stored), label \(record.label)")
    printResult(
      "top 5: "
        + top.map { "\($0) (\(String(format: "%.3f", record.logits[$0])))" }
        .joined(separator: ", "))
    printResult("logits: " + record.logits.map(\.description).joined(separator: " "))
    printResult(
      "confidence \(String(format: "%.4f", record.confidence)), pixel hash \(record.pixelHash.proofText)"
    )
    for shape in taps {
      printResult("features \(shape.tap): \(shape.height)×\(shape.width)×\(shape.channels)")
    }
    if let values { printResult(values.map(\.description).joined(separator: " ")) }
  }

  /// H×W×C values.
  private func features(
    of tap: String, at key: ViewKey, in reader: CacheReader
  ) throws -> [Float] {
    guard let shape = reader.shape(of: tap) else {
      throw CacheError.missing(what: "features of \(tap)", path: cache)
    }
    var values = [Float](repeating: 0, count: shape.count)
    try values.withUnsafeMutableBufferPointer { values in
      _ = try reader.readFeatures(reader.storedKey(key, tap: tap), tap: tap, into: values)
    }
    return values
  }
}
