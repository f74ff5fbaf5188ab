/// How often a network was right, overall and for each class.
package struct Accuracy: Equatable, Sendable {
  package let images: Int
  package let correct: Int
  package let correctInFive: Int
  /// Test images and right answers of each class.
  package let classImages: [Int]
  package let classCorrect: [Int]

  /// Percent of the images whose label has the largest logit.
  package var top1: Double { percent(correct, of: images) }
  /// Percent of the images whose label is among the five largest logits.
  package var top5: Double { percent(correctInFive, of: images) }

  private func percent(_ part: Int, of whole: Int) -> Double {
    whole == 0 ? 0 : 100 * Double(part) / Double(whole)
  }

  /// The mean over the classes of a group of each class's accuracy in percent; nil for an empty
  /// group.
  package func top1(ofClasses group: [Int]) -> Double? {
    let present = group.filter { classImages[$0] > 0 }
    guard !present.isEmpty else { return nil }
    return present.reduce(0) { $0 + percent(classCorrect[$1], of: classImages[$1]) }
      / Double(present.count)
  }
}

extension Predictions {
  /// How often each label had the largest logit, or one of the five largest.
  package var accuracy: Accuracy {
    var counts = (correct: 0, correctInFive: 0)
    var classImages = Array(repeating: 0, count: classes)
    var classCorrect = classImages
    for (i, label) in labels.enumerated() {
      let rank = rank(of: label, in: logits[(i * classes)..<((i + 1) * classes)])
      classImages[label] += 1
      if rank == 0 {
        counts.correct += 1
        classCorrect[label] += 1
      }
      if rank < 5 { counts.correctInFive += 1 }
    }
    return Accuracy(
      images: labels.count, correct: counts.correct, correctInFive: counts.correctInFive,
      classImages: classImages, classCorrect: classCorrect)
  }
}

/// How many classes come before the label: those with a larger logit, or an equal one and a lower
/// number. A logit that is not a number comes before everything, so it is never counted as right.
func rank(of label: Int, in logits: ArraySlice<Float>) -> Int {
  let own = logits[logits.startIndex + label]
  var rank = 0
  for (j, z) in logits.enumerated() where j != label {
    if !(z < own) && (z != own || j < label) { rank += 1 }
  }
  return rank
}
