import CKernels

/// How few elements are not worth a second thread.
let grain = 8192

/// max(x, 0)
package func rectified(_ x: Tensor, on execution: Execution) -> Tensor {
  let outer = execution.enter(.elementwise)
  defer { execution.leave(outer) }
  let y = Tensor(x.shape, in: execution.memory)
  execution.parallelRanges(x.count, atLeast: grain) { range in
    rectify(x.pointer + range.lowerBound, y.pointer + range.lowerBound, range.count)
  }
  return y
}

/// The gradient before a rectifier: `gradient` where the rectifier's output `y` is positive.
package func rectifiedGradient(
  _ gradient: Tensor, output y: Tensor, on execution: Execution
) -> Tensor {
  let outer = execution.enter(.elementwise)
  defer { execution.leave(outer) }
  precondition(gradient.count == y.count, "gradient \(gradient.shape) of output \(y.shape)")
  let target = Tensor(y.shape, in: execution.memory)
  execution.parallelRanges(y.count, atLeast: grain) { range in
    let first = range.lowerBound
    rectify_gradient(
      y.pointer + first, gradient.pointer + first, target.pointer + first, range.count)
  }
  return target
}

/// a + b, rectified if wanted.
package func sum(_ a: Tensor, _ b: Tensor, rectify: Bool, on execution: Execution) -> Tensor {
  let outer = execution.enter(.elementwise)
  defer { execution.leave(outer) }
  precondition(a.count == b.count, "cannot add \(b.shape) to \(a.shape)")
  let target = Tensor(a.shape, in: execution.memory)
  execution.parallelRanges(a.count, atLeast: grain) { range in
    let first = range.lowerBound
    add(
      a.pointer + first, b.pointer + first, target.pointer + first, range.count, rectify ? 1 : 0)
  }
  return target
}

/// How one step of SGD changes values: PyTorch's semantics, no dampening.
package struct SGDStep {
  package let learningRate: Float
  package let momentum: Float
  package let weightDecay: Float
  package let nesterov: Bool

  package init(learningRate: Float, momentum: Float, weightDecay: Float, nesterov: Bool) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.nesterov = nesterov
  }

  /// Updates `value` and the momentum buffer (without contents when `isFirst`), zeroes `gradient`.
  package func apply(
    value: Tensor, gradient: Tensor, buffer: Tensor?, isFirst: Bool, on execution: Execution
  ) {
    execution.parallelRanges(value.count, atLeast: grain) { range in
      var job = sgd_job()
      job.value = value.pointer + range.lowerBound
      job.gradient = gradient.pointer + range.lowerBound
      job.momentum_buffer = buffer.map { $0.pointer + range.lowerBound }
      job.count = range.count
      job.learning_rate = learningRate
      job.momentum = momentum
      job.weight_decay = weightDecay
      job.nesterov = nesterov ? 1 : 0
      job.first = isFirst ? 1 : 0
      sgd_update(&job)
    }
  }
}
