import Datasets
import Foundation
import Testing

@Suite("From view keys to pixels")
struct ViewRendererTests {
  /// A row of Fixtures/views.json: tools/reference/views.py drew and rendered it with its own
  /// Philox and Pillow.
  struct Pinned: Decodable {
    let dataset: DatasetName
    let seed: String
    let image: Int
    let view: View
    let choice: ViewChoice
    let hash: String
  }

  @Test("choices and pixels are what the Python reference draws and Pillow paints, for ever")
  func pinnedViews() throws {
    let rows = try Fixtures.decode([Pinned].self, "views")
    #expect(rows.count == 256)
    for row in rows {
      let seed = try #require(UInt64(row.seed))
      let renderer = ViewRenderer.ofSyntheticImages(row.dataset, seed: seed)
      let key = ViewKey(image: row.image, view: row.view)
      let name = Comment("\(row.dataset.rawValue) seed \(row.seed) image \(row.image) \(row.view)")
      #expect(renderer.choice(for: key) == row.choice, name)
      #expect(hexadecimalHash(renderer.pixels(key)) == row.hash, name)
    }
  }

  @Test("a plain view is the image itself", arguments: DatasetName.allCases)
  func plainIsTheImage(_ name: DatasetName) {
    let renderer = ViewRenderer.ofSyntheticImages(name)
    let size = name.info.imageBytes
    for image in 0..<5 {
      let pixels = renderer.pixels(ViewKey(image: image, view: .plain))
      #expect(pixels == Array(renderer.images.pixels[image * size..<(image + 1) * size]))
    }
  }

  @Test("a weak round has the pixels of the crop that it draws", arguments: DatasetName.allCases)
  func weakIsTheCropThatItDraws(_ name: DatasetName) throws {
    let renderer = ViewRenderer.ofSyntheticImages(name, seed: 99)
    for image in 0..<5 {
      for round in 0..<40 {
        let crop = View.crop(
          ViewChoice.weakCrop(image: image, round: round, seed: 99, info: name.info))
        try crop.check(in: name.info)
        #expect(
          renderer.pixels(ViewKey(image: image, view: .weak(round)))
            == renderer.pixels(ViewKey(image: image, view: crop)))
      }
    }
  }

  @Test(
    "crops are numbered (dy·offsets + dx)·2 + flip, without flip for digits",
    arguments: [DatasetName.cifar10, .mnist])
  func cropNumbers(_ name: DatasetName) {
    let info = name.info
    var number = 0
    for dy in 0...2 * info.padding {
      for dx in 0...2 * info.padding {
        for flip in info.flips ? [false, true] : [false] {
          #expect(Crop(number: number, of: info) == Crop(dy: dy, dx: dx, flip: flip))
          number += 1
        }
      }
    }
    #expect(number == info.weakViews)
  }

  @Test("all weak views differ, and crops move, pad with black and mirror")
  func cropPixels() {
    let renderer = ViewRenderer.ofSyntheticImages(.cifar10)
    let all = Set((0..<162).map { renderer.pixels(ViewKey(image: 0, view: .crop($0))) })
    #expect(all.count == 162)
    let image = renderer.pixels(ViewKey(image: 0, view: .plain))
    // dy 0, dx 8, mirrored: four black rows on top; the last four columns are black before the
    // mirror and the first ones after it.
    let view = renderer.pixels(ViewKey(image: 0, view: .crop((0 * 9 + 8) * 2 + 1)))
    func pixel(_ pixels: [UInt8], _ y: Int, _ x: Int) -> [UInt8] {
      Array(pixels[(y * 32 + x) * 3..<(y * 32 + x) * 3 + 3])
    }
    for y in 0..<32 {
      for x in 0..<32 {
        let black = y < 4 || x < 4
        #expect(pixel(view, y, x) == (black ? [0, 0, 0] : pixel(image, y - 4, 31 - x + 4)))
      }
    }
  }

  @Test(
    "weak rounds draw every crop about equally often", arguments: [DatasetName.cifar10, .mnist])
  func weakIsUniform(_ name: DatasetName) {
    let crops = name.info.weakViews
    var counts = [Int](repeating: 0, count: crops)
    for image in 0..<5 {
      for round in 0..<crops * 40 {
        counts[ViewChoice.weakCrop(image: image, round: round, seed: 5, info: name.info)] += 1
      }
    }
    let chiSquare = counts.map { Double(($0 - 200) * ($0 - 200)) / 200 }.reduce(0, +)
    #expect(counts.reduce(0, +) == crops * 200)
    #expect(chiSquare < Double(crops - 1) + 5 * Double(2 * crops).squareRoot())
  }

  @Test("strong views draw all operations, magnitudes in range, centres on (1, side]")
  func strongDraws() throws {
    let renderer = ViewRenderer.ofSyntheticImages(.cifar100, seed: 5)
    var counts: [OperationKind: Int] = [:]
    for round in 0..<14_000 {
      let choice = renderer.choice(for: ViewKey(image: 2, view: .strong(round)))
      let distortion = try #require(choice.distortion)
      for operation in [distortion.first, distortion.second] {
        counts[operation.kind, default: 0] += 1
        #expect(operation.kind.magnitudes.contains(operation.magnitude))
      }
      #expect((0..<0.5).contains(distortion.cutout.side))
      for centre in [distortion.cutout.x, distortion.cutout.y] {
        #expect(centre > 1 && centre <= 32)
      }
    }
    for kind in OperationKind.allCases { #expect(abs(counts[kind, default: 0] - 2000) < 225) }
  }

  @Test("another seed, image, kind or round is another draw")
  func keysAreIndependent() {
    func sequence(_ seed: UInt64, _ image: Int, strong: Bool, from round: Int) -> [Crop] {
      let renderer = ViewRenderer.ofSyntheticImages(.cifar100, seed: seed)
      return (round..<round + 40).map { round in
        renderer.choice(for: ViewKey(image: image, view: strong ? .strong(round) : .weak(round)))
          .crop
      }
    }
    let sequences = [
      sequence(1, 0, strong: false, from: 0), sequence(2, 0, strong: false, from: 0),
      sequence(1 << 32, 0, strong: false, from: 0), sequence(1, 1, strong: false, from: 0),
      sequence(1, 0, strong: true, from: 0), sequence(1, 0, strong: false, from: 40),
    ]
    #expect(Set(sequences.map { "\($0)" }).count == sequences.count)
    #expect(sequences[0] == sequence(1, 0, strong: false, from: 0))
  }

  @Test("a view does not depend on what was rendered before it")
  func renderingKeepsNothing() {
    let renderer = ViewRenderer.ofSyntheticImages(.cifar100, seed: 3)
    var scratch = RenderScratch(imageBytes: 3072)
    var pixels = [UInt8](repeating: 9, count: 3072)
    let keys = (0..<60).map { ViewKey(image: $0 % 5, view: .strong($0)) }
    func render(_ key: ViewKey) -> UInt64 {
      pixels.withUnsafeMutableBufferPointer { renderer.render(key, into: $0, scratch: &scratch) }
    }
    let forward = keys.map(render)
    let backward = keys.reversed().map(render)
    #expect(forward == backward.reversed())
    #expect(Set(forward).count == forward.count)
    #expect(forward == keys.map { key in renderer.pixels(key).withUnsafeBufferPointer(pixelHash) })
  }

  @Test("an image that is not there stops the program")
  func imageOutOfRangeStops() async {
    await #expect(processExitsWith: .failure) {
      _ = ViewRenderer.ofSyntheticImages(.cifar100).pixels(ViewKey(image: 5, view: .plain))
    }
  }
}
