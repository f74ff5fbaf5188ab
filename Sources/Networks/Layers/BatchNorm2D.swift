package import Tensors

/// Batch normalisation over N, H and W (arXiv 1502.03167): y = γ·(x − mean)/√(variance + ε) + β.
///
/// Training normalises with the batch's mean and biased variance and moves the running statistics by
/// `momentum` towards mean and *unbiased* variance; inference uses those. PyTorch's defaults.
package final class BatchNorm2D: Layer {
  package let weight: Parameter
  package let bias: Parameter
  package let runningMean: StateBuffer
  package let runningVariance: StateBuffer
  package let batchesTracked: StateBuffer
  private let channels: Int
  private let momentum: Float = 0.1
  let epsilon: Float = 1e-5
  private var kept = Kept<NormalizationGradient>()

  package init(_ name: String, _ channels: Int) {
    self.channels = channels
    weight = Parameter(name + ".weight", .vector(channels), repeating: 1)
    bias = Parameter(name + ".bias", .vector(channels))
    runningMean = StateBuffer(name + ".running_mean", shape: [channels], repeating: 0)
    runningVariance = StateBuffer(name + ".running_var", shape: [channels], repeating: 1)
    batchesTracked = StateBuffer(
      name + ".num_batches_tracked", shape: [], isInteger: true, repeating: 0)
  }

  package var parameters: [Parameter] { [weight, bias] }
  package var buffers: [StateBuffer] { [runningMean, runningVariance, batchesTracked] }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    forward(x, addend: nil, rectify: false, mode: mode, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    backward(gradient, on: execution, beside: { _ in nil })
  }

  /// Scale and shift from the running statistics.
  func inferenceFactors(in memory: TensorMemory) -> NormalizationFactors {
    NormalizationFactors(
      mean: runningMean.values.map(Double.init), variance: runningVariance.values.map(Double.init),
      weight: weight.value, bias: bias.value, epsilon: epsilon, in: memory)
  }

  private func batchFactors(_ x: Tensor, on execution: Execution) -> NormalizationFactors {
    let (mean, deviation) = channelMoments(x, on: execution)
    let count = x.count / channels
    for c in 0..<channels {
      let unbiased = Float(deviation[c] / Double(max(1, count - 1)))
      runningMean.values[c] = (1 - momentum) * runningMean.values[c] + momentum * Float(mean[c])
      runningVariance.values[c] = (1 - momentum) * runningVariance.values[c] + momentum * unbiased
    }
    batchesTracked.values[0] += 1
    return NormalizationFactors(
      mean: mean, variance: deviation.map { $0 / Double(count) }, weight: weight.value,
      bias: bias.value, epsilon: epsilon, in: execution.memory)
  }
}

extension BatchNorm2D: FusingLayer {
  var fuses: Bool { true }

  func forward(
    _ x: Tensor, addend: Tensor?, rectify: Bool, mode: Mode, on execution: Execution
  ) -> Tensor {
    let outer = execution.enter(.batchNorm)
    defer { execution.leave(outer) }
    precondition(
      x.shape.last == channels && x.count > 0,
      "\(weight.name) normalises \(channels) channels, got a tensor of shape \(x.shape)")
    switch mode {
    case .inference:
      return inferenceFactors(in: execution.memory).apply(
        x, addend: addend, rectify: rectify, on: execution)
    case .training:
      let factors = batchFactors(x, on: execution)
      let y = factors.apply(x, addend: addend, rectify: rectify, on: execution)
      kept.push(
        NormalizationGradient(
          factors: factors, x: x, y: rectify && addend != nil ? y : nil, rectify: rectify),
        in: mode)
      return y
    }
  }

  func backward(
    _ gradient: Tensor, on execution: Execution, beside: (Tensor) -> Tensor?
  ) -> Tensor {
    let outer = execution.enter(.batchNorm)
    defer { execution.leave(outer) }
    let last = kept.pop(weight.name)
    let result = last(
      gradient, weightGradient: weight.gradient, biasGradient: bias.gradient, on: execution)
    guard let addend = beside(result.addend) else { return result.input }
    return sum(result.input, addend, rectify: false, on: execution)
  }
}
