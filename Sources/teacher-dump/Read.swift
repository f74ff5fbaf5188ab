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
      """)

  @Argument(help: ArgumentHelp("Folder of the cache.", valueName: "cache"))
  var cache: String
  @Option(help: ArgumentHelp("Position in the original training set.", valueName: "n"))
  var image: Int
  @Option(help: ArgumentHelp("plain, weak:N, strong:N or crop:N.", valueName: "view"))
  var view: String
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let cache = try CacheReader.open(cache)
    let key = try cache.storedKey(ViewKey(image: image, view: try View(parsing: view)))
    let record = try cache.read(image: key.image, view: key.view)
    let top = record.logits.indices.sorted { record.logits[$0] > record.logits[$1] }.prefix(5)
    let hash = String(record.pixelHash, radix: 16)
    let paddedHash = String(repeating: "0", count: 16 - hash.count) + hash
    if json {
      let members: [(String, JSONValue)] = [
        ("image", .integer(image)), ("view", .string(key.view.description)),
        ("label", .integer(record.label)),
        ("logits", .array(record.logits.map(JSONValue.single))),
        ("top5", .array(top.map(JSONValue.integer))),
        ("confidence", .single(record.confidence)), ("pixel_hash", .string(paddedHash)),
        (
          "features",
          .object(
            record.features.map { shape in
              let sizes = [shape.height, shape.width, shape.channels].map(JSONValue.integer)
              return (shape.tap, .array(sizes))
            })
        ),
      ]
      printResult(JSONValue.object(members).text)
      return
    }
    printResult("image \(image), view \(key.view), label \(record.label)")
    printResult(
      "top 5: "
        + top.map { "\($0) (\(String(format: "%.3f", record.logits[$0])))" }
        .joined(separator: ", "))
    printResult(
      "confidence \(String(format: "%.4f", record.confidence)), pixel hash \(paddedHash)")
    for shape in record.features {
      printResult("features \(shape.tap): \(shape.height)×\(shape.width)×\(shape.channels)")
    }
  }
}
