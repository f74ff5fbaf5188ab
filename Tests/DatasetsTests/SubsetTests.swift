import Crypto
import Datasets
import Foundation
import TestSupport
import Testing

@Suite("Subsets of the training set")
struct SubsetTests {
  /// A row of Fixtures/subsets.json: NumPy's legacy generator and shuffle.
  struct Reference: Decodable {
    let images: Int
    let classes: Int
    let uneven: Bool
    let subset: String
    let counts: [Int]
    let total: Int
    let first: [Int]
    let sha256: String

    /// Labels by the rule that stands in tools/reference/subsets.py.
    var labels: [Int] {
      (0..<images).map { uneven ? ($0 / 3) * ($0 / 7) % classes : ($0 / 3) % classes }
    }
  }

  @Test("long-tailed subsets are the images that NumPy draws")
  func equalsNumPy() throws {
    for row in try Fixtures.decode([Reference].self, "subsets") {
      let labels = row.labels
      let ids = try Subset(parsing: row.subset).indices(labels: labels, classes: row.classes)
      let name = Comment("\(row.subset) of \(row.images)")
      var counts = [Int](repeating: 0, count: row.classes)
      for id in ids { counts[labels[id]] += 1 }
      #expect(counts == row.counts, name)
      #expect(ids.count == row.total && Array(ids.prefix(5)) == row.first, name)
      #expect(ids == ids.sorted(), name)
      let text = ids.map { "\($0)\n" }.joined()
      let hash = SHA256.hash(data: Data(text.utf8)).map { byte in
        String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
      }
      #expect(hash.joined() == row.sha256, name)
    }
  }

  @Test(
    "totals are those of the published subsets",
    arguments: [
      (10, 10.0, 20431), (10, 20, 17023), (10, 50, 13996), (10, 100, 12406), (10, 200, 11203),
      (100, 10, 19573), (100, 20, 15907), (100, 50, 12608), (100, 100, 10847), (100, 200, 9502),
    ])
  func publishedTotals(_ classes: Int, _ ratio: Double, _ total: Int) throws {
    let labels = (0..<50_000).map { $0 % classes }
    let ids = try Subset.exponential(ratio).indices(labels: labels, classes: classes)
    #expect(ids.count == total)
  }

  @Test("images that are a usual subset are known as that")
  func usual() throws {
    let labels = (0..<5000).map { $0 % 10 }
    for text in ["exp:100", "exp:10", "step:50"] {
      let images = try Subset(parsing: text).indices(labels: labels, classes: 10)
      #expect(Subset.usual(images, labels: labels, classes: 10) == (try Subset(parsing: text)))
      #expect(Subset.usual(Array(images.dropLast()), labels: labels, classes: 10) == nil)
    }
  }

  @Test("a larger ratio's images are among a smaller one's")
  func nested() throws {
    let labels = (0..<5000).map { $0 % 10 }
    let sets = try [1.0, 10, 50, 100].map {
      Set(try Subset.exponential($0).indices(labels: labels, classes: 10))
    }
    for (larger, smaller) in zip(sets, sets.dropFirst()) {
      #expect(smaller.isStrictSubset(of: larger))
    }
    #expect(sets[0].count == 5000)
  }

  @Test("the generator begins with NumPy's first words for seed 0")
  func mersenneTwister() {
    var generator = MT19937(seed: 0)
    let words = (0..<5).map { _ in generator.next() }
    // numpy.random.RandomState(0).randint(0, 2**32, 5, dtype=numpy.uint32)
    #expect(words == [2357136044, 2546248239, 3071714933, 3626093760, 2588848963])
  }

  @Test(
    "shuffled ordinals have the golden CRC",
    .enabled(if: Files.exists(Fixtures.golden), "needs ../shared/golden"),
    arguments: ["cifar10_exp_0.01_seed0", "cifar100_exp_0.01_seed0"])
  func goldenOrdinals(_ name: String) throws {
    let file = Fixtures.golden.appending(path: "golden_losses.json")
    let golden = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    let subset = try #require((golden["lt_subset"] as? [String: Any])?[name] as? [String: Any])
    let classes = name.hasPrefix("cifar100_") ? 100 : 10
    let labels = (0..<50_000).map { $0 * classes / 50_000 }
    let kept = try Subset.exponential(100).indices(labels: labels, classes: classes)
    var counts = [Int](repeating: 0, count: classes)
    for image in kept { counts[labels[image]] += 1 }
    var generator = MT19937(seed: 0)
    var bytes: [UInt8] = []
    var same = Set<Int>()
    for label in 0..<classes {
      var ordinals = Array(0..<50_000 / classes)
      generator.shuffle(&ordinals)
      for ordinal in ordinals.prefix(counts[label]) {
        same.insert(label * 50_000 / classes + ordinal)
        withUnsafeBytes(of: UInt32(ordinal).littleEndian) { bytes += $0 }
      }
    }
    #expect(kept.count == subset["total"] as? Int)
    #expect(Int(crc32(bytes)) == subset["crc32_of_u32le_ordinals"] as? Int)
    #expect(Set(kept) == same)
  }

  @Test(
    "the subsets of the real data sets are the published lists",
    .enabled(
      if: Files.cifar != nil && Files.exists(Fixtures.longTailed),
      "needs CIFAR_ROOT or .build/reference-data, and ../shared/data"),
    arguments: [DatasetName.cifar10, .cifar100])
  func realLists(_ name: DatasetName) throws {
    let train = try ImageDataset.loadTrain(name, from: #require(Files.cifar).path)
    let file = Fixtures.longTailed.appending(path: "\(name.rawValue)-lt-ir100-train-indices.txt")
    let drawn = try Subset(parsing: "exp:100").indices(labels: train.labels, classes: train.classes)
    let listed = try Subset.list(file.path).indices(labels: train.labels, classes: train.classes)
    #expect(drawn == listed)
    #expect(drawn.count == (name == .cifar10 ? 12406 : 10847))
  }

  @Test(
    "a subset is written as it is read",
    arguments: [
      ("all", "all"), ("exp:100", "exp:100"), ("exp:12.5", "exp:12.5"), ("step:1", "step:1"),
      ("exp:1e2", "exp:100"), ("list:/a:b/c d.txt", "list:/a:b/c d.txt"),
    ])
  func roundTrip(_ text: String, _ written: String) throws {
    #expect(try Subset(parsing: text).description == written)
    #expect(try Subset(parsing: written) == Subset(parsing: text))
  }

  @Test(
    "what is no subset is refused",
    arguments: [
      "", "none", "exp", "exp:", "exp:0", "exp:0.99", "exp:-5", "exp:nan", "exp:inf", "exp:1e999",
      "exp:100x", "exp: 100", "step:", "step:zero", "list:", "list", "exp:100:2", "EXP:100",
    ])
  func badSubset(_ text: String) {
    expectError(.usage, naming: ["\"\(text)\""]) { try Subset(parsing: text) }
  }

  @Test("a ratio that leaves a class empty is refused", arguments: ["exp:600", "step:501"])
  func emptyClass(_ text: String) {
    let labels = (0..<50_000).map { $0 % 100 }
    expectError(.usage, naming: [text, "class", "500", "smaller ratio"]) {
      try Subset(parsing: text).indices(labels: labels, classes: 100)
    }
  }
}
