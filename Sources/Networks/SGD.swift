package import Tensors

/// Stochastic gradient descent with momentum and coupled weight decay, PyTorch's semantics.
package final class SGD {
  package let parameters: [Parameter]
  private let momentum: Float
  private let weightDecay: Float
  private let nesterov: Bool

  package init(
    _ parameters: [Parameter], momentum: Float, weightDecay: Float, nesterov: Bool = false
  ) {
    self.parameters = parameters
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.nesterov = nesterov
  }

  /// One update of every parameter, which also zeroes the gradients.
  package func step(learningRate: Float, on execution: Execution) {
    preconditionFailure("SGD.step is on its way")
  }

  /// The momentum buffers by parameter name, in state-dict layout; empty before the first step.
  package var state: [String: [Float]] {
    get { [:] }
    set { preconditionFailure("SGD.state is on its way") }
  }
}
