/// How far confidences can be trusted: answers in bins of equal width by the probability of the
/// predicted class, with the expected calibration error (arXiv 1706.04599, equation 3).
package struct Calibration: Codable, Equatable, Sendable {
  package static let binCount = 15

  /// Answers in each bin, from confidence 0 up.
  package let counts: [Int]
  /// Right ones among them.
  package let correct: [Int]
  /// Mean confidence of each bin; 0 for an empty one.
  package let confidence: [Double]

  /// - Parameter confidences: 0…1; what is no number counts as 0.
  package init(confidences: [Double], correct isCorrect: [Bool]) {
    precondition(
      confidences.count == isCorrect.count,
      "\(confidences.count) confidences of \(isCorrect.count) answers")
    var counts = Array(repeating: 0, count: Self.binCount)
    var correct = counts
    var sums = Array(repeating: 0.0, count: Self.binCount)
    for (confidence, isCorrect) in zip(confidences, isCorrect) {
      let confidence = confidence.isFinite ? confidence : 0
      let bin = min(max(Int(confidence * Double(Self.binCount)), 0), Self.binCount - 1)
      counts[bin] += 1
      correct[bin] += isCorrect ? 1 : 0
      sums[bin] += confidence
    }
    self.counts = counts
    self.correct = correct
    confidence = zip(sums, counts).map { $1 == 0 ? 0 : $0 / Double($1) }
  }

  package var total: Int { counts.reduce(0, +) }

  /// Σ over bins of (answers in the bin / all) · |accuracy − mean confidence|, 0…1; nil without
  /// answers.
  package var expectedError: Double? {
    guard total > 0 else { return nil }
    return counts.indices.reduce(0.0) { sum, bin in
      sum + abs(Double(correct[bin]) - Double(counts[bin]) * confidence[bin])
    } / Double(total)
  }

  package var meanConfidence: Double? {
    guard total > 0 else { return nil }
    return zip(counts, confidence).reduce(0.0) { $0 + Double($1.0) * $1.1 } / Double(total)
  }

  /// Whether the lists belong together, as in a file that this program wrote.
  var isSound: Bool {
    counts.count == correct.count && counts.count == confidence.count && !counts.isEmpty
      && areCounts(counts) && zip(counts, correct).allSatisfy { 0...$0 ~= $1 }
      && confidence.allSatisfy { (0...1.000_001).contains($0) }
  }
}

/// Whether none is below zero and their sum is exact as a Double too.
func areCounts(_ numbers: [Int]) -> Bool {
  let most = (1 << 53) / max(numbers.count, 1)
  return numbers.allSatisfy { 0...most ~= $0 }
}
