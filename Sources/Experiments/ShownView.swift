package import Datasets
import Distillation
import FileIO
import Foundation
package import Reporting
package import TeacherCache

/// One view with the pixels that the teacher saw, proved by their hash, and what it said.
package struct ShownView {
  package let key: ViewKey
  package let record: CachedView
  /// The five largest logits' classes, the largest first.
  package let top: [(label: Int, probability: Double)]
  private let renderer: ViewRenderer
  private let names: [String]?
  /// H×W×3.
  private let pixels: [UInt8]

  /// Reads and renders a view. A weak round that is stored as the crop that it draws is found there.
  ///
  /// - Throws: `CacheError.mismatch` for other images than the cache's, `ReplayMismatch` for
  ///   other pixels than the teacher's.
  package init(_ cache: CacheReader, image: Int, view: View, dataPath: String) throws {
    let key = try cache.storedKey(ViewKey(image: image, view: view))
    let record = try cache.read(image: image, view: key.view)
    let renderer = try cache.renderer(dataPath: dataPath)
    names = renderer.info.name.classNames(in: dataPath)
    var scratch = RenderScratch(imageBytes: renderer.info.imageBytes)
    var pixels = [UInt8](repeating: 0, count: renderer.info.imageBytes)
    let hash = pixels.withUnsafeMutableBufferPointer {
      renderer.render(key, into: $0, scratch: &scratch)
    }
    guard hash == record.pixelHash else {
      throw ReplayMismatch(key: key, expected: record.pixelHash, found: hash)
    }
    self.key = key
    self.record = record
    self.renderer = renderer
    self.pixels = pixels
    let logits = record.logits
    let p = softmax(Matrix(rows: 1, columns: logits.count, floats: logits)).values
    top = p.indices.sorted { logits[$0] > logits[$1] }.prefix(5).map { ($0, p[$0]) }
  }

  /// The name of a class, its number where the data set's folder has no names.
  package func name(_ label: Int) -> String {
    guard let names, names.indices.contains(label) else { return "class \(label)" }
    return names[label]
  }

  /// What the teacher said, line by line.
  package var lines: [String] {
    let guesses = top.map { guess in
      let percent = String(format: "%5.1f", 100 * guess.probability)
      return "\(percent) % \(name(guess.label))" + (guess.label == record.label ? " (label)" : "")
    }
    return ["image \(key.image), view \(key.view)", "label \(name(record.label))"] + guesses
      + ["confidence \(String(format: "%.4f", record.confidence))"]
  }

  /// The pixels, enlarged to squares, with the lines below.
  package var picture: Picture {
    let (height, width) = (renderer.info.height, renderer.info.width)
    // About 400 pixels wide, so that the longest line fits.
    let scale = max(1, 408 / width)
    let (lineHeight, margin) = (22, 10)
    var picture = Picture(
      height: height * scale + 2 * margin + lines.count * lineHeight, width: width * scale,
      fill: Picture.Color(255, 255, 255))
    picture.draw(pixels, height: height, width: width, scale: scale, row: 0, column: 0)
    for (index, line) in lines.enumerated() {
      let isLabel = line.hasSuffix(" (label)")
      picture.write(
        line.replacing(" (label)", with: ""), row: height * scale + margin + index * lineHeight,
        column: margin, scale: 2,
        color: isLabel ? Picture.Color(0, 120, 50) : Picture.Color(20, 20, 20))
    }
    return picture
  }

  /// Writes the picture as PNG; the file is whole or absent.
  package func writePicture(to path: String) throws {
    try AtomicFile.write(picture.png, to: path)
  }
}
