import CKernels

/// A pooling of N×H×W×C by square windows; H' = (H + 2·padding − kernel)/strides + 1.
package struct Pooling: Sendable {
  package enum Kind: Sendable {
    /// The largest value; its gradient goes to the first of equals, as in PyTorch.
    case maximum
    /// The sum over kernel²; zeros outside the image count.
    case average
  }

  package let kind: Kind
  package let kernel: Int
  package let strides: Int
  package let padding: Int

  package init(_ kind: Kind, kernel: Int, strides: Int, padding: Int = 0) {
    precondition(
      kernel > 0 && strides > 0 && padding >= 0 && 2 * padding <= kernel,
      "pooling with kernel \(kernel), strides \(strides), padding \(padding) has no meaning")
    self.kind = kind
    self.kernel = kernel
    self.strides = strides
    self.padding = padding
  }

  /// Pixels along one side of what comes out.
  package func outputSize(_ size: Int) -> Int { (size + 2 * padding - kernel) / strides + 1 }

  private func job(_ x: [Int]) -> pool_job {
    precondition(x.count == 4, "pooling needs N×H×W×C, got \(x)")
    precondition(
      x[1] + 2 * padding >= kernel && x[2] + 2 * padding >= kernel,
      "a \(kernel)×\(kernel) window with padding \(padding) does not fit on \(x[1])×\(x[2])")
    var job = pool_job()
    job.channels = x[3]
    job.height = Int32(x[1])
    job.width = Int32(x[2])
    job.output_height = Int32(outputSize(x[1]))
    job.output_width = Int32(outputSize(x[2]))
    job.kernel = Int32(kernel)
    job.strides = Int32(strides)
    job.padding = Int32(padding)
    return job
  }

  /// N×H×W×C to N×H'×W'×C.
  package func forward(_ x: Tensor, on execution: Execution) -> Tensor {
    let outer = execution.enter(.elementwise)
    defer { execution.leave(outer) }
    let template = job(x.shape)
    let y = Tensor(
      [x.shape[0], outputSize(x.shape[1]), outputSize(x.shape[2]), x.shape[3]],
      in: execution.memory)
    execution.parallel(x.shape[0]) { image in
      var job = template
      job.x = UnsafePointer(x.pointer + image * (x.count / x.shape[0]))
      job.target = y.pointer + image * (y.count / x.shape[0])
      switch kind {
      case .maximum: max_pool(&job)
      case .average: average_pool(&job)
      }
    }
    return y
  }

  /// The gradient at the input of shape `shape`; `x` is the input itself, which a maximum needs.
  package func inputGradient(
    _ gradient: Tensor, shape: [Int], x: Tensor?, on execution: Execution
  ) -> Tensor {
    let outer = execution.enter(.elementwise)
    defer { execution.leave(outer) }
    let template = job(shape)
    let target = Tensor(shape, in: execution.memory)
    execution.parallel(shape[0]) { image in
      var job = template
      job.gradient = UnsafePointer(gradient.pointer + image * (gradient.count / shape[0]))
      job.target = target.pointer + image * (target.count / shape[0])
      switch (kind, x) {
      case (.maximum, let x?):
        job.x = UnsafePointer(x.pointer + image * (x.count / shape[0]))
        max_pool_gradient(&job)
      case (.maximum, nil): preconditionFailure("the gradient of a maximum needs the input")
      case (.average, _): average_pool_gradient(&job)
      }
    }
    return target
  }
}

/// The mean over all pixels of each image: N×H×W×C → N×C.
package func globalAverage(_ x: Tensor, on execution: Execution) -> Tensor {
  let outer = execution.enter(.elementwise)
  defer { execution.leave(outer) }
  let (images, channels) = (x.shape[0], x.shape[x.shape.count - 1])
  let target = Tensor([images, channels], in: execution.memory)
  guard images > 0 else { return target }
  let size = x.count / images
  execution.parallel(images) { image in
    global_average(
      x.pointer + image * size, size / channels, channels, target.pointer + image * channels)
  }
  return target
}

/// The gradient at the input of `globalAverage`, of shape `shape`.
package func globalAverageGradient(
  _ gradient: Tensor, shape: [Int], on execution: Execution
) -> Tensor {
  let outer = execution.enter(.elementwise)
  defer { execution.leave(outer) }
  let target = Tensor(shape, in: execution.memory)
  let (images, channels) = (shape[0], shape[shape.count - 1])
  guard images > 0 else { return target }
  let pixels = target.count / (images * channels)
  let share = 1 / Float(pixels)
  execution.parallel(images) { image in
    let source = gradient.pointer + image * channels
    let first = target.pointer + image * pixels * channels
    for c in 0..<channels { first[c] = source[c] * share }
    for p in 1..<max(1, pixels) {
      (first + p * channels).update(from: first, count: channels)
    }
  }
  return target
}
