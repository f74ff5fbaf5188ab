import Datasets
import Glibc

/// Compares exact logits with what will be decoded, view by view; keeps its buffers.
///
/// Two exponentials a class and view (e^{z/4}, squared twice), 2 µs for 100 classes, so that every
/// view is measured and none is sampled.
struct CodingMeter {
  private let codec: LogitCodec
  private let weights: [Double]
  private var exact: [SIMD4<Double>]
  private var coded: [SIMD4<Double>]

  init(codec: LogitCodec, classes: Int) {
    self.codec = codec
    weights = Self.balancedWeights(classes: classes)
    exact = [SIMD4<Double>](repeating: .zero, count: classes)
    coded = exact
  }

  /// The class weights under which BKD's error is measured: (1 − β) / (1 − β^n), β = 0.9999, for a
  /// long tail of 500 images in the first class and 5 in the last, as CIFAR-100-LT with ratio 100
  /// has them. A student's own weights come from its subset, which no cache knows.
  static func balancedWeights(classes: Int) -> [Double] {
    (0..<classes).map { index in
      let place = classes > 1 ? Double(index) / Double(classes - 1) : 0
      let images = max((500 * pow(0.01, place)).rounded(.down), 1)
      return (1 - 0.9999) / (1 - pow(0.9999, images))
    }
  }

  /// CRLD's threshold for the teacher's confidence in such a view.
  static func maskThreshold(_ kind: ViewKind) -> Double { kind == .strong ? 0.2 : 0.9 }

  /// What coding `logits` as `row` does to a view of that kind.
  mutating func measure(_ logits: [Float], _ row: QuantizedRow, _ kind: ViewKind) -> ViewError {
    var error = ViewError()
    // Bit-exact: there is nothing to measure.
    if codec == .fp32 { return error }
    let decoded = LogitQuantizer.logits(row, codec: codec)
    for (value, logit) in zip(decoded, logits) {
      error.logit = max(error.logit, abs(Double(value) - Double(logit)))
    }
    let (sum, confidence) = Self.exponentials(logits, weights, into: &exact)
    let (codedSum, codedConfidence) = Self.exponentials(decoded, weights, into: &coded)
    let (scale, codedScale) = (1 / sum, 1 / codedSum)
    for index in exact.indices {
      let difference = exact[index] * scale - coded[index] * codedScale
      error.gradients += pointwiseMax(difference, -difference)
    }
    error.gradients *= SIMD4(1, 2, 4, 2)
    let stored =
      codec.step == nil
      ? codedConfidence : Double(LogitQuantizer.confidence(doubt: row.doubt))
    let threshold = Self.maskThreshold(kind)
    error.flipsMask = (confidence >= threshold) != (stored >= threshold)
    return error
  }

  /// e^{(z − max z)/T} for T = 1, 2, 4 and, weighted, for T = 2; gives their sums and the largest
  /// probability at T = 1.
  private static func exponentials(
    _ logits: [Float], _ weights: [Double], into values: inout [SIMD4<Double>]
  ) -> (sum: SIMD4<Double>, confidence: Double) {
    let maximum = Double(logits.max() ?? 0)
    var sum = SIMD4<Double>.zero
    for (index, logit) in logits.enumerated() {
      let fourth = exp((Double(logit) - maximum) / 4)
      let half = fourth * fourth
      let value = SIMD4(half * half, half, fourth, half * weights[index])
      values[index] = value
      sum += value
    }
    return (sum, 1 / sum[0])
  }
}
