package import Tensors

/// Batch normalisation over N, H and W (arXiv 1502.03167), per channel.
package final class BatchNorm2D: Layer {
  package let weight: Parameter
  package let bias: Parameter
  package let runningMean: StateBuffer
  package let runningVariance: StateBuffer
  package let batchesTracked: StateBuffer

  package init(_ name: String, _ channels: Int, momentum: Float = 0.1, epsilon: Float = 1e-5) {
    weight = Parameter(name + ".weight", .vector(channels))
    bias = Parameter(name + ".bias", .vector(channels))
    runningMean = StateBuffer(name + ".running_mean", shape: [channels], repeating: 0)
    runningVariance = StateBuffer(name + ".running_var", shape: [channels], repeating: 1)
    batchesTracked = StateBuffer(
      name + ".num_batches_tracked", shape: [], isInteger: true, repeating: 0)
  }

  package var parameters: [Parameter] { [weight, bias] }
  package var buffers: [StateBuffer] { [runningMean, runningVariance, batchesTracked] }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("BatchNorm2D.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("BatchNorm2D.backward is on its way")
  }
}
