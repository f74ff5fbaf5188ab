import ArgumentParser
import CommandSupport
import Datasets
import Experiments
import Foundation
import TeacherCache

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The picture that the teacher saw, enlarged, and what it said.",
    discussion: """
      The view is rendered again from the images and its pixels are compared with the \
      hash that was stored when the teacher saw it. The picture is enlarged without \
      interpolation; below it stands what is printed here too.

      Example:
        teacher-dump show caches/r56 --data DIR --image 7 --view strong:0 --png seen.png
      """)

  @Argument(help: ArgumentHelp("Folder of the cache.", valueName: "cache"))
  var cache: String
  @Option(help: ArgumentHelp("Folder with the data set's files, or its parent.", valueName: "dir"))
  var data: String
  @Option(help: ArgumentHelp("Position in the original training set.", valueName: "n"))
  var image: Int
  @Option(help: ArgumentHelp("plain, weak:N, strong:N or crop:N.", valueName: "view"))
  var view: String
  @Option(help: ArgumentHelp("Where to write the picture.", valueName: "file"))
  var png: String

  func validate() throws {
    guard ["png", ""].contains((png as NSString).pathExtension.lowercased()) else {
      throw ValidationError("--png \(png): the picture is PNG; name it .png")
    }
  }

  func run() throws {
    let view = try View(parsing: view)
    let shown = try ShownView(
      CacheReader.open(cache), image: image, view: view, dataPath: data)
    try shown.writePicture(to: png)
    printResult(shown.lines.joined(separator: "\n"))
  }
}
