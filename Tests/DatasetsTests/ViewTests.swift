import Datasets
import Foundation
import Testing

@Suite("Views and sets of views")
struct ViewTests {
  @Test(
    "a view is written as it is read",
    arguments: [
      ("plain", View.plain), ("weak:0", .weak(0)), ("weak:999999", .weak(999_999)),
      ("strong:12", .strong(12)), ("crop:161", .crop(161)),
    ])
  func viewRoundTrip(_ text: String, _ view: View) throws {
    #expect(try View(parsing: text) == view)
    #expect(view.description == text)
    let data = try JSONEncoder().encode([view])
    #expect(String(decoding: data, as: UTF8.self) == "[\"\(text)\"]")
    #expect(try JSONDecoder().decode([View].self, from: data) == [view])
  }

  @Test(
    "what is no view is refused",
    arguments: [
      "", "plain:0", "Plain", "weak", "weak:", "weak:-1", "weak:+1", "weak: 1", "weak:1 ",
      "weak:1.0",
      "weak:0x1", "weak:1000000", "weak:99999999999999999999", "weak:all", "strong:1:2", "medium:3",
      ":3", "weak:٣", "crop:\0",
    ])
  func badView(_ text: String) {
    expectError(.usage, naming: ["\"\(text)\""]) { try View(parsing: text) }
  }

  @Test("views are ordered plain, weak, strong, crop, then by number")
  func viewOrder() {
    let ordered: [View] = [.plain, .weak(0), .weak(10), .strong(2), .strong(3), .crop(0), .crop(9)]
    #expect(ordered.reversed().sorted() == ordered)
  }

  @Test("a crop beyond the last one of its data set is refused", arguments: DatasetName.allCases)
  func cropBounds(_ name: DatasetName) throws {
    let info = name.info
    #expect(info.weakViews == (info.flips ? 162 : 25))
    try View.crop(info.weakViews - 1).check(in: info)
    try View.weak(999_999).check(in: info)
    expectError(.usage, naming: ["crop:\(info.weakViews)", "0…\(info.weakViews - 1)"]) {
      try View.crop(info.weakViews).check(in: info)
    }
  }

  @Test(
    "a list of views is read, and written in stable order",
    arguments: [
      ("plain", "plain", 1), ("weak:1", "weak:1", 1), ("weak:1000000", "weak:1000000", 1_000_000),
      ("weak:16,strong:16,plain,weak:all", "plain,weak:16,strong:16,weak:all", 195),
      ("weak:all", "weak:all", 162), ("strong:2, plain", "plain,strong:2", 3),
    ])
  func setRoundTrip(_ text: String, _ written: String, _ count: Int) throws {
    let set = try ViewSet(parsing: text)
    #expect(set.description == written)
    #expect(try ViewSet(parsing: written) == set)
    let views = set.views(in: DatasetName.cifar100.info)
    #expect(views.count == count && set.count(in: DatasetName.cifar100.info) == count)
    #expect(views == views.sorted())
    #expect(Set(views).count == count)
    #expect(views.allSatisfy(set.contains))
  }

  @Test(
    "silly lists are refused",
    arguments: [
      "", ",", "weak", "weak:0", "weak:-1", "weak:1000001", "weak:all,weak:all", "weak:2,weak:3",
      "plain,plain", "plain:1", "strong:all", "weak:16,", ",weak:16", "weak:16,,plain", "weak:1e3",
      "crop:3", "crop:all", "medium:4", "weak:16;strong:16", "WEAK:2",
      "strong:18446744073709551617",
    ])
  func badSet(_ text: String) {
    expectError(.usage, naming: []) { try ViewSet(parsing: text) }
  }

  @Test("the digits have 25 weak views in weak:all")
  func digitCrops() throws {
    let views = try ViewSet(parsing: "weak:all").views(in: DatasetName.mnist.info)
    #expect(views == (0..<25).map { View.crop($0) })
  }

  @Test("an empty set has no views")
  func emptySet() {
    #expect(ViewSet().isEmpty && ViewSet().views(in: DatasetName.mnist.info).isEmpty)
    #expect(!ViewSet(strong: 1).isEmpty)
  }

  @Test("every kind of view has a versioned augmentation", arguments: DatasetName.allCases)
  func augmentations(_ name: DatasetName) throws {
    let family = name.info.flips ? "cifar" : "digits"
    let weak = name.info.flips ? "cifar-crop-flip@1" : "digits-crop@1"
    #expect(
      name.info.augmentations == [
        "plain": "plain@1", "weak": weak, "crop": weak,
        "strong": "\(family)-randaugment-cutout@1",
      ])
  }

  @Test("a data set is found by name, whatever the case; others are refused with the list")
  func names() throws {
    #expect(try DatasetName(parsing: "CIFAR100") == .cifar100)
    #expect(try DatasetName(parsing: "fashion-mnist") == .fashionMNIST)
    expectError(.usage, naming: ["cifar1000", "cifar10, cifar100, mnist, fashion-mnist"]) {
      try DatasetName(parsing: "cifar1000")
    }
  }
}
