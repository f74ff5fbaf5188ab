import Tensors

/// Class weights by the effective number of samples, w_c ∝ (1−β)/(1−β^{n_c}), rescaled to a mean of
/// one (arXiv 1901.05555; BKD's `train_student.py` uses β = 0.9999). β = 0 gives ones.
///
/// - Parameter counts: training images of each class. A class without images weighs as if it had
///   one; it is left out of the mean, or it would scale the focal loss of the others to nothing.
package func effectiveNumberWeights(counts: [Int], beta: Double) -> [Double] {
  let raw = counts.map { (1 - beta) / (1 - power(beta, max($0, 1))) }
  let present = counts.indices.filter { counts[$0] > 0 }
  let sum = present.reduce(0) { $0 + raw[$1] }
  return raw.map { $0 / sum * Double(present.count) }
}

/// The class-balanced soft target of BKD (arXiv 2104.10510): q'_c = w_c q_c / Σ_k w_k q_k with
/// q = softmax(t / T). The weights belong to the classes of the row, not to the sample: a factor
/// common to a row would cancel and leave plain KD.
package func balancedTarget(
  teacher: Matrix, classWeights: [Double], temperature: Double
) -> Matrix {
  var target = softmax(teacher, temperature: temperature)
  let c = target.columns
  precondition(classWeights.count == c, "\(classWeights.count) weights for \(c) classes")
  for i in 0..<target.rows {
    var sum = 0.0
    for j in 0..<c {
      target.values[i * c + j] *= classWeights[j]
      sum += target.values[i * c + j]
    }
    for j in 0..<c { target.values[i * c + j] /= sum }
  }
  return target
}
