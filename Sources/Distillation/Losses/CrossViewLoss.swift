/// Which teacher view gates which term of CRLD.
package enum ConfidenceMask: String, CaseIterable, Sendable {
  /// The released code: both within-view terms by the weak view's confidence, both cross-view
  /// terms by the strong view's.
  case perLoss = "per_loss"
  /// Each term by the teacher view that made its target.
  case perTeacherView = "per_teacher_view"
}

/// The loss between one student view and one teacher view, of each image.
package enum CrossViewBase: String, CaseIterable, Sendable {
  /// T²·KL(softmax(t/T) ‖ softmax(s/T)), the paper's.
  case kd
  /// α·TCKD + β·NCKD of decoupled distillation (arXiv 2203.08679), without its warm-up.
  case dkd
}

/// The weights and thresholds of CRLD (arXiv 2412.16493; `engine/cfg.py` of its code).
package struct CrossViewWeights: Equatable, Sendable {
  package var crossEntropy = 1.0  // λ_ce
  package var withinView = 2.0  // λ_wv
  package var crossView = 0.5  // λ_cv
  package var weakThreshold = 0.9  // τ_w, on the teacher's confidence at temperature 1
  package var strongThreshold = 0.2  // τ_s
  package var mask = ConfidenceMask.perLoss
  package var base = CrossViewBase.kd
  /// α and β of the base `dkd`.
  package var alpha = 1.0
  package var beta = 8.0

  package init() {}
}

/// The terms of CRLD and the gradients at the student's logits of both views.
package struct CrossViewLoss: Sendable {
  package let crossEntropy: Double
  package let withinView: Double
  package let crossView: Double
  package let weakGradient: Matrix
  package let strongGradient: Matrix
}

/// Cross-view consistency regularisation (arXiv 2412.16493).
///
/// With the base loss k(s, t) per image (``CrossViewBase``) and 0/1 masks m_w, m_s of the teacher's
/// confidence: CE on both views, within-view k(s_w,t_w) + k(s_s,t_s), cross-view
/// k(s_s,t_w) + k(s_w,t_s). Means are over the whole batch, masked images included.
package func crossViewConsistency(
  weak: Matrix, strong: Matrix, teacherWeak: TeacherLogits, teacherStrong: TeacherLogits,
  labels: [Int],
  temperature t: Double, weights: CrossViewWeights, labelSmoothing: Double = 0
) -> CrossViewLoss {
  let b = Double(weak.rows)
  let confidentWeak = mask(teacherWeak, threshold: weights.weakThreshold)
  let confidentStrong = mask(teacherStrong, threshold: weights.strongThreshold)
  // Mask of the term whose student saw `a` and whose teacher saw `b`: m_ab.
  let (ww, ss, sw, ws): ([Double], [Double], [Double], [Double])
  switch weights.mask {
  case .perLoss:
    (ww, ss, sw, ws) = (confidentWeak, confidentWeak, confidentStrong, confidentStrong)
  case .perTeacherView:
    (ww, ss, sw, ws) = (confidentWeak, confidentStrong, confidentWeak, confidentStrong)
  }
  let ceWeak = crossEntropy(weak, labels: labels, smoothing: labelSmoothing)
  let ceStrong = crossEntropy(strong, labels: labels, smoothing: labelSmoothing)
  var weakGradient = ceWeak.gradient.scaled(by: weights.crossEntropy)
  var strongGradient = ceStrong.gradient.scaled(by: weights.crossEntropy)
  let (targetWeak, targetStrong) = (
    weights.target(teacherWeak.logits, temperature: t),
    weights.target(teacherStrong.logits, temperature: t)
  )

  func term(
    _ student: Matrix, _ target: Matrix, _ mask: [Double], _ weight: Double,
    into gradient: inout Matrix
  ) -> Double {
    let (rows, rowGradient) = weights.distances(
      student, to: target, labels: labels, temperature: t)
    var sum = 0.0
    for i in 0..<student.rows where mask[i] != 0 {
      sum += rows[i] * mask[i]
      for j in (i * student.columns)..<((i + 1) * student.columns) {
        gradient.values[j] += weight * mask[i] * rowGradient.values[j] / b
      }
    }
    return weight * sum / b
  }
  let withinView =
    term(weak, targetWeak, ww, weights.withinView, into: &weakGradient)
    + term(strong, targetStrong, ss, weights.withinView, into: &strongGradient)
  let crossView =
    term(strong, targetWeak, sw, weights.crossView, into: &strongGradient)
    + term(weak, targetStrong, ws, weights.crossView, into: &weakGradient)
  return CrossViewLoss(
    crossEntropy: weights.crossEntropy * (ceWeak.value + ceStrong.value),
    withinView: withinView, crossView: crossView,
    weakGradient: weakGradient, strongGradient: strongGradient)
}

extension CrossViewWeights {
  /// What the base loss compares with, made once for each teacher view: probabilities for `kd`, the
  /// logits themselves for `dkd`.
  fileprivate func target(_ teacher: Matrix, temperature t: Double) -> Matrix {
    base == .kd ? softmax(teacher, temperature: t) : teacher
  }

  /// The base loss of each row, and the gradient of their sum.
  fileprivate func distances(
    _ student: Matrix, to target: Matrix, labels: [Int], temperature t: Double
  ) -> (rows: [Double], gradient: Matrix) {
    guard base == .dkd else { return softenedDivergence(student, target: target, temperature: t) }
    var rows: [Double] = []
    var gradient = Matrix(rows: 0, columns: student.columns)
    for i in 0..<student.rows {
      // A batch of one image: its mean is that image's loss.
      let halves = decoupledDistillation(
        student: student.oneRow(i), teacher: target.oneRow(i), labels: [labels[i]], temperature: t)
      rows.append(alpha * halves.target.value + beta * halves.nonTarget.value)
      var rowGradient = halves.target.gradient.scaled(by: alpha)
      rowGradient.add(halves.nonTarget.gradient, scale: beta)
      gradient.append(rowGradient)
    }
    return (rows, gradient)
  }
}

/// 1 where the teacher's confidence reaches the threshold, else 0.
package func mask(_ teacher: TeacherLogits, threshold: Double) -> [Double] {
  teacher.confidence.map { $0 >= threshold ? 1 : 0 }
}
