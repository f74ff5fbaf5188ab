import Distillation
import Testing

struct ValidationSplitTests {
  private static let classes = 4
  // 40, 15, 5 and 1 images; ids with gaps and classes mixed.
  private let images = (0..<61).map { $0 * 3 + 2 }
  private let labels = (0..<61).map { i in i % 3 == 0 && i < 45 ? 1 : i < 55 ? 0 : i < 60 ? 2 : 3 }

  private func split(_ fraction: Double, seed: UInt64 = 0) -> ValidationSplit {
    ValidationSplit(
      images: images, labels: labels, classes: Self.classes, fraction: fraction, seed: seed)
  }

  private func counts(_ ids: [Int]) -> [Int] {
    var counts = Array(repeating: 0, count: Self.classes)
    for id in ids { counts[labels[(id - 2) / 3]] += 1 }
    return counts
  }

  @Test func takesTheFractionOfEveryClassButNeverItsLastImage() {
    #expect(counts(images) == [40, 15, 5, 1])
    // 0.1 of 40, 15, 5 and 1: 4, 1.5 and 0.5 rounded up, nothing.
    #expect(counts(split(0.1).validation) == [4, 2, 1, 0])
    #expect(counts(split(0.99).validation) == [39, 14, 4, 0])
    #expect(split(0).validation.isEmpty)
    #expect(split(0).training == images)
  }

  @Test func theTwoPartsAreTheWholeInOrder() {
    let split = split(0.3)
    #expect((split.training + split.validation).sorted() == images)
    #expect(split.training == split.training.sorted())
    #expect(split.validation == split.validation.sorted())
  }

  @Test func isAFunctionOfTheSeedAndOfEachClassAlone() {
    #expect(split(0.3) == split(0.3))
    #expect(split(0.3) != split(0.3, seed: 1))
    // Without the other classes, class 1 gives up the same images.
    let alone = images.filter { labels[($0 - 2) / 3] == 1 }
    let ofOne = ValidationSplit(
      images: alone, labels: alone.map { _ in 1 }, classes: Self.classes, fraction: 0.3, seed: 0)
    #expect(ofOne.validation == split(0.3).validation.filter { labels[($0 - 2) / 3] == 1 })
  }
}
