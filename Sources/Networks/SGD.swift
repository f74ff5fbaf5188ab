package import Tensors

/// Stochastic gradient descent with momentum and coupled weight decay: PyTorch's semantics.
///
/// g = gradient + weightDecay·w; buffer = momentum·buffer + g (g itself at the first step, no
/// dampening); w −= learningRate·buffer, with Nesterov learningRate·(g + momentum·buffer).
package final class SGD {
  package let parameters: [Parameter]
  private let momentum: Float
  private let weightDecay: Float
  private let nesterov: Bool
  /// By parameter name, in kernel layout; filled by the first step.
  private var momentumBuffers: [String: Tensor] = [:]

  package init(
    _ parameters: [Parameter], momentum: Float, weightDecay: Float, nesterov: Bool = false
  ) {
    precondition(
      !nesterov || momentum > 0, "Nesterov's method needs a momentum, got \(momentum)")
    precondition(
      Set(parameters.map(\.name)).count == parameters.count,
      "two of the \(parameters.count) parameters share a name")
    self.parameters = parameters
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.nesterov = nesterov
  }

  /// One update of every parameter, which also zeroes the gradients.
  package func step(learningRate: Float, on execution: Execution) {
    let outer = execution.enter(.optimizer)
    defer { execution.leave(outer) }
    let step = SGDStep(
      learningRate: learningRate, momentum: momentum, weightDecay: weightDecay, nesterov: nesterov)
    for parameter in parameters {
      let known = momentumBuffers[parameter.name]
      let buffer =
        momentum == 0 ? nil : known ?? Tensor(parameter.value.shape, in: execution.memory)
      step.apply(
        value: parameter.value, gradient: parameter.gradient, buffer: buffer,
        isFirst: known == nil, on: execution)
      momentumBuffers[parameter.name] = buffer
    }
  }

  /// The first parameter whose momentum buffer holds something that is not a number.
  package var firstNonFiniteMomentum: String? {
    parameters.map(\.name).first { momentumBuffers[$0].map { !$0.isFinite } ?? false }
  }

  /// The momentum buffers by parameter name, in state-dict layout; empty before the first step.
  package var state: [String: [Float]] {
    get {
      var state: [String: [Float]] = [:]
      for parameter in parameters {
        guard let buffer = momentumBuffers[parameter.name] else { continue }
        state[parameter.name] = parameter.state(of: buffer)
      }
      return state
    }
    set {
      let unknown = Set(newValue.keys).subtracting(parameters.map(\.name)).sorted()
      precondition(
        unknown.isEmpty, "momentum for \(unknown), which are not among the parameters")
      momentumBuffers = [:]
      for parameter in parameters {
        guard let values = newValue[parameter.name] else { continue }
        let zeros = [Float](repeating: 0, count: parameter.value.count)
        let buffer = Tensor(zeros, shape: parameter.value.shape)
        parameter.setState(values, of: buffer)
        momentumBuffers[parameter.name] = buffer
      }
    }
  }
}
