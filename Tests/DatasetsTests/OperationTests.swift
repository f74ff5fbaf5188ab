import Datasets
import Foundation
import TestSupport
import Testing

@Suite("The operations of the strong view")
struct OperationTests {
  /// A row of Fixtures/operations.json: Pillow's output for the five pictures of the fixtures.
  struct Painted: Decodable {
    let operation: OperationKind
    let magnitude: Double
    let hashes: [String]
  }

  @Test("every operation paints what Pillow paints", arguments: OperationKind.allCases)
  func equalsPillow(_ kind: OperationKind) throws {
    let rows = try Fixtures.decode([Painted].self, "operations").filter { $0.operation == kind }
    #expect(!rows.isEmpty)
    let renderer = ViewRenderer.ofSyntheticImages(.cifar100)
    for row in rows {
      let operation = ImageOperation(kind, magnitude: row.magnitude)
      for image in 0..<5 {
        let hash = hexadecimalHash(renderer.pixels(only(operation), of: image))
        #expect(hash == row.hashes[image], "\(kind.rawValue) \(row.magnitude), image \(image)")
      }
    }
  }

  /// golden_randaugment.json, one row an operation or cutout.
  struct Golden: Decodable {
    struct Row: Decodable {
      let op: String
      let v: Double
      let cx: Double?
      let cy: Double?
      let crc32: UInt32
      let first4: [[UInt8]]?
    }
    let ops: [Row]
  }

  @Test(
    "operations and cutouts equal the designers' golden file",
    .enabled(if: Files.exists(Fixtures.golden), "needs ../shared/golden"))
  func equalsGolden() throws {
    let file = Fixtures.golden.appending(path: "golden_randaugment.json")
    let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
    #expect(golden.ops.count == 60)
    let renderer = ViewRenderer.ofSyntheticImages(.cifar100)
    for row in golden.ops {
      let choice: ViewChoice
      if let x = row.cx, let y = row.cy {
        choice = only(cutout: Cutout(side: row.v, x: x, y: y))
      } else {
        let kind = try #require(OperationKind(rawValue: row.op))
        choice = only(ImageOperation(kind, magnitude: row.v))
      }
      let pixels = renderer.pixels(choice, of: 0)
      #expect(crc32(pixels) == row.crc32, "\(row.op) \(row.v)")
      if let first = row.first4 {
        #expect(Array(pixels[480..<492]) == first.flatMap { $0 }, "\(row.op) \(row.v)")
      }
    }
  }

  @Test("operations are drawn in this order, which is part of the version")
  func order() {
    #expect(
      OperationKind.allCases.map(\.rawValue) == [
        "AutoContrast", "Brightness", "Color", "Contrast", "Equalize", "Identity", "Posterize",
        "Rotate", "Sharpness", "ShearX", "ShearY", "Solarize", "TranslateX", "TranslateY",
      ])
  }

  @Test("the first operation acts before the second, the cutout last")
  func sequence() {
    let renderer = ViewRenderer.ofSyntheticImages(.cifar100)
    let invert = ImageOperation(.solarize, magnitude: 0)
    let darken = ImageOperation(.brightness, magnitude: 0.5)
    let none = Cutout(side: 0, x: 16, y: 16)
    func pixels(_ first: ImageOperation, _ second: ImageOperation, _ cutout: Cutout) -> [UInt8] {
      let distortion = Distortion(first: first, second: second, cutout: cutout)
      return renderer.pixels(ViewChoice(crop: still, distortion: distortion), of: 3)
    }
    // The picture is 77 everywhere: inverted 178, halved 89; halved 38, inverted 217.
    #expect(pixels(invert, darken, none).allSatisfy { $0 == 89 })
    #expect(pixels(darken, invert, none).allSatisfy { $0 == 217 })
    // Side 0.25·32 = 8 about (16, 16): columns and rows 12…20, both ends inside, not darkened.
    let cut = pixels(darken, invert, Cutout(side: 0.25, x: 16, y: 16))
    for y in 0..<32 {
      for x in 0..<32 {
        let inside = (12...20).contains(x) && (12...20).contains(y)
        let i = (y * 32 + x) * 3
        #expect(Array(cut[i..<i + 3]) == (inside ? [125, 123, 114] : [217, 217, 217]))
      }
    }
  }

  @Test(
    "a cutout at the border stays inside the image",
    arguments: [
      // From int(max(0, c − s/2)) to int(min(32, that + s)), both inside: the number of columns.
      (1.0000001, 0.000001, 1), (1.0000001, 0.3, 10), (1.0000001, 0.4999999, 16),
      (32, 0.000001, 1), (32, 0.3, 5), (32, 0.4999999, 8), (32, 0, 0),
    ])
  func cutoutAtTheBorder(_ place: Double, _ side: Double, _ columns: Int) {
    let renderer = ViewRenderer.ofSyntheticImages(.cifar100)
    let pixels = renderer.pixels(only(cutout: Cutout(side: side, x: place, y: place)), of: 3)
    #expect(pixels.filter { $0 == 123 }.count == columns * columns)
    #expect(pixels.filter { $0 == 77 }.count == 3 * (1024 - columns * columns))
  }
}

/// The crop that leaves a CIFAR image as it is.
private let still = Crop(dy: 4, dx: 4, flip: false)

/// A choice that does this one thing.
private func only(
  _ operation: ImageOperation = ImageOperation(.identity, magnitude: 0),
  cutout: Cutout = Cutout(side: 0, x: 16, y: 16)
) -> ViewChoice {
  let identity = ImageOperation(.identity, magnitude: 0)
  return ViewChoice(
    crop: still, distortion: Distortion(first: operation, second: identity, cutout: cutout))
}
