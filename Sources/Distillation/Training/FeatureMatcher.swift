package import Networks
package import TeacherCache
package import Tensors

/// Compares one student tap with one teacher tap, through an adapter where their shapes differ.
///
/// The adapter is the identity for equal shapes, batch norm of a 1×1 convolution when only the
/// channels differ, of a 3×3 convolution with stride 2 when the student's map is twice as large,
/// of a 4×4 transposed convolution with stride 2 when it is half as large. It is trained with its
/// stage and discarded afterwards.
package final class FeatureMatcher {
  package let pair: FeaturePair
  /// nil where student and teacher have equal shapes.
  package let adapter: (any Layer)?
  /// 1/σ of each teacher channel; empty for no scaling.
  private let inverseDeviations: [Float]

  /// - Throws: ``PlanError`` of kind mismatch when no adapter joins the two shapes.
  package init(
    pair: FeaturePair, student: TapShape, teacher: TapShape, seed: UInt64,
    inverseDeviations: [Float] = []
  ) throws(PlanError) {
    self.pair = pair
    self.inverseDeviations = inverseDeviations
    let name = "adapter.\(student.tap)"
    let (i, o) = (student.channels, teacher.channels)
    let convolution: any Layer
    switch try Scale(student: student, teacher: teacher) {
    case .equal:
      if i == o {
        adapter = nil
        return
      }
      convolution = Conv2D("\(name).0", in: i, out: o, kernel: 1)
    case .halved:
      convolution = Conv2D("\(name).0", in: i, out: o, kernel: 3, strides: 2, padding: 1)
    case .doubled:
      convolution = ConvTranspose2D("\(name).0", in: i, out: o, kernel: 4, strides: 2, padding: 1)
    }
    adapter = Sequential([convolution, BatchNorm2D("\(name).1", o)])
    for parameter in adapter?.parameters ?? [] where parameter.stateShape.count == 4 {
      parameter.fillUniform(seed: seed)
    }
  }

  /// Mean over all elements of (A(f_s) − f_t)², and its gradient at the student's tap.
  package func loss(
    student: Tensor, teacher: Tensor, on execution: Execution
  ) -> (loss: Double, gradient: Tensor) {
    let outer = execution.enter(.loss)
    defer { execution.leave(outer) }
    var adapted = student
    if let adapter { adapted = adapter.forward(student, mode: .training, on: execution) }
    var (loss, gradient): (Double, Tensor)
    if inverseDeviations.isEmpty {
      (loss, gradient) = meanSquaredError(adapted, teacher, on: execution)
    } else {
      (loss, gradient) = meanSquaredError(
        scaled(adapted, on: execution), scaled(teacher, on: execution), on: execution)
      gradient = scaled(gradient, on: execution)
    }
    if let adapter { gradient = adapter.backward(gradient, on: execution) }
    return (loss, gradient)
  }

  private func scaled(_ x: Tensor, on execution: Execution) -> Tensor {
    let result = Tensor(x.shape, in: execution.memory)
    let perImage = x.count / x.shape[0]
    nonisolated(unsafe) let (source, target) = (x.pointer, result.pointer)
    let factors = inverseDeviations
    execution.parallel(x.shape[0]) { n in
      for i in stride(from: n * perImage, to: (n + 1) * perImage, by: factors.count) {
        for c in 0..<factors.count { target[i + c] = source[i + c] * factors[c] }
      }
    }
    return result
  }
}

extension FeatureMatcher {
  /// What an adapter does to the sides of a student's map.
  package enum Scale: Sendable {
    case equal, halved, doubled

    /// - Throws: ``PlanError`` of kind mismatch when no adapter joins the two shapes.
    package init(student: TapShape, teacher: TapShape) throws(PlanError) {
      if student.height == teacher.height, student.width == teacher.width {
        self = .equal
      } else if student.height == 2 * teacher.height, student.width == 2 * teacher.width {
        self = .halved
      } else if 2 * student.height == teacher.height, 2 * student.width == teacher.width {
        self = .doubled
      } else {
        let size = { (shape: TapShape) in "\(shape.height)×\(shape.width)×\(shape.channels)" }
        throw PlanError(
          .mismatch,
          "the student's \(student.tap) is \(size(student)) and the teacher's \(teacher.tap) "
            + "\(size(teacher)): sides must be equal or differ by a factor of two; pair other taps with "
            + "--set sskd.stages")
      }
    }
  }
}

extension Parameter {
  /// PyTorch's default for convolutions, U(±1/√fan_in), from the stream of this parameter's name.
  func fillUniform(seed: UInt64) {
    let fanIn = stateShape.dropFirst().reduce(1, *)
    let bound = 1 / Double(fanIn).squareRoot()
    var random = RandomStream(key: seed, stream: Classifier.stream(of: name))
    setState((0..<stateShape.reduce(1, *)).map { _ in Float((2 * random.uniform() - 1) * bound) })
  }
}
