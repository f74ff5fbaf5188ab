import Tensors

/// How a family of networks draws its first weights. Batch norms always start at weight 1, bias 0.
package struct Initialization: Sendable {
  package enum Weights: Sendable {
    /// N(0, 2 / fan_out), fan_out = out·kh·kw (He et al., `kaiming_normal_` with mode fan_out).
    case normalFanOut
    /// N(0, 2 / fan_in), fan_in = in/groups·kh·kw.
    case normalFanIn
    /// N(0, σ²) for a fixed σ.
    case normal(deviation: Double)
    /// U(±1/√fan_in): PyTorch's own start of convolutions and linear layers.
    case uniformFanIn
  }

  package enum Biases: Sendable {
    case zero
    /// U(±1/√fan_in) of the layer's weight.
    case uniformFanIn
  }

  package let convolution: Weights
  package let linear: Weights
  package let linearBias: Biases

  package init(convolution: Weights, linear: Weights, linearBias: Biases) {
    self.convolution = convolution
    self.linear = linear
    self.linearBias = linearBias
  }
}

extension Classifier {
  /// Draws new weights: each parameter from its own Philox stream (key `seed`, prefix from a hash
  /// of its name), so adding a layer or drawing in another order changes no other parameter.
  ///
  /// Running statistics go back to mean 0, variance 1, no batches.
  package func initialize(seed: UInt64) {
    let parameters = parameters
    let fans = Dictionary(
      parameters.map { ($0.name, $0.layout.fans) }, uniquingKeysWith: { first, _ in first })
    for parameter in parameters {
      let layer = parameter.name.split(separator: ".").dropLast()
      let weight = fans[layer.joined(separator: ".") + ".weight"] ?? parameter.layout.fans
      parameter.setState(draw(parameter, weight: weight, seed: seed))
    }
    for buffer in buffers {
      let start: Float = buffer.name.hasSuffix("running_var") ? 1 : 0
      buffer.values = [Float](repeating: start, count: buffer.values.count)
    }
  }

  /// First values in state-dict order. `weight`: the fans of the weight of the same layer.
  private func draw(_ parameter: Parameter, weight: ParameterLayout.Fans?, seed: UInt64) -> [Float]
  {
    let count = parameter.stateShape.reduce(1, *)
    var random = RandomStream(key: seed, stream: Self.stream(of: parameter.name))
    switch parameter.layout {
    case .convolution: return initialization.convolution.draw(count, weight, &random)
    case .linear: return initialization.linear.draw(count, weight, &random)
    case .matrix(let inputs, let outputs):
      return Initialization.unitColumns(inputs, outputs, &random)
    case .vector:
      if parameter.name.hasSuffix(".weight") { return [Float](repeating: 1, count: count) }
      guard let weight, weight.isLinear, case .uniformFanIn = initialization.linearBias else {
        return [Float](repeating: 0, count: count)
      }
      return Initialization.Weights.uniformFanIn.draw(count, weight, &random)
    }
  }

  /// A Philox counter prefix that depends on the name alone (FNV-1a, 64 bits) and on no other use
  /// of the key: the third word spells "init".
  package static func stream(of name: String) -> (UInt32, UInt32, UInt32) {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return (
      UInt32(truncatingIfNeeded: hash), UInt32(truncatingIfNeeded: hash >> 32), 0x696e_6974
    )
  }
}

extension Initialization {
  /// U(−1, 1), each column of the inputs×outputs matrix then scaled to length 1: how the LDAM code
  /// starts its normalised classifier.
  fileprivate static func unitColumns(
    _ inputs: Int, _ outputs: Int, _ random: inout RandomStream
  ) -> [Float] {
    let drawn = (0..<inputs * outputs).map { _ in 2 * random.uniform() - 1 }
    let lengths = (0..<outputs).map { column in
      stride(from: column, to: drawn.count, by: outputs).reduce(0) { $0 + drawn[$1] * drawn[$1] }
        .squareRoot()
    }
    return drawn.enumerated().map { i, value in Float(value / lengths[i % outputs]) }
  }
}

extension Initialization.Weights {
  fileprivate func draw(
    _ count: Int, _ fans: ParameterLayout.Fans?, _ random: inout RandomStream
  ) -> [Float] {
    guard let fans else { preconditionFailure("a weight without fans cannot be drawn") }
    let deviation: Double
    switch self {
    case .normalFanOut: deviation = (2 / Double(fans.out)).squareRoot()
    case .normalFanIn: deviation = (2 / Double(fans.in)).squareRoot()
    case .normal(let fixed): deviation = fixed
    case .uniformFanIn:
      let bound = 1 / Double(fans.in).squareRoot()
      return (0..<count).map { _ in Float((2 * random.uniform() - 1) * bound) }
    }
    return (0..<count).map { _ in Float(random.normal() * deviation) }
  }
}

extension ParameterLayout {
  /// Connections per output and per input, as PyTorch counts them.
  struct Fans {
    let `in`: Int
    let out: Int
    let isLinear: Bool
  }

  fileprivate var fans: Fans? {
    switch self {
    case .convolution(let outputs, let inputs, let kernel, _):
      Fans(in: inputs * kernel * kernel, out: outputs * kernel * kernel, isLinear: false)
    case .linear(let outputs, let inputs), .matrix(let inputs, let outputs):
      Fans(in: inputs, out: outputs, isLinear: true)
    case .vector: nil
    }
  }
}
