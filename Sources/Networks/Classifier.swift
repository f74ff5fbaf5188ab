package import Tensors

/// A network cut at its taps: stages one after another, then a head that gives the logits.
///
/// Parts are numbered 0..<stages.count for the stages and stages.count for the head. Any range of
/// parts may be trained while the others run frozen, in inference mode.
package final class Classifier {
  /// The canonical name, as in `Architecture.names`.
  package let architecture: String
  package let classes: Int
  package let stages: [Stage]
  package let head: any Layer
  let initialization: Initialization
  /// Whether the head is normalised: "logits" are cosines then, in −1…1.
  package let givesCosines: Bool

  /// What the training forwards that wait for their backward have run, last in, first out.
  private var pending: [Pending] = []

  private struct Pending {
    let parts: Range<Int>
    /// The output's shape of the last trained part.
    let shape: [Int]
  }

  package init(
    architecture: String, classes: Int, stages: [Stage], head: any Layer,
    initialization: Initialization, givesCosines: Bool = false
  ) {
    self.architecture = architecture
    self.classes = classes
    self.stages = stages
    self.head = head
    self.initialization = initialization
    self.givesCosines = givesCosines
  }

  /// The number of parts: the stages and the head.
  package var partCount: Int { stages.count + 1 }

  /// The names of the taps, from the input on.
  package var taps: [String] { stages.map(\.tap) }

  /// What each tap gives for images of this size, without running anything.
  package func tapShapes(
    height: Int, width: Int
  ) -> [(tap: String, height: Int, width: Int, channels: Int)] {
    var (height, width) = (height, width)
    return stages.map { stage in
      (height, width) = (stage.side(height), stage.side(width))
      return (stage.tap, height, width, stage.channels)
    }
  }

  /// The logits of a batch and the features at the taps in `kept`.
  ///
  /// - Parameters:
  ///   - images: N×H×W×3, normalised.
  ///   - training: the parts that run in training mode and expect a `backward`; the others run in
  ///     inference mode. Empty: a pure inference pass.
  ///   - last: the stage to stop after, without logits; nil runs everything.
  ///   - kept: taps whose features the output holds.
  package func forward(
    _ images: Tensor, training: Range<Int>, through last: Int? = nil,
    keeping kept: Set<String> = [], on execution: Execution
  ) -> NetworkOutput {
    let run = last.map { $0 + 1 } ?? partCount
    precondition(
      run >= 1 && run <= (last == nil ? partCount : stages.count),
      "\(architecture) has \(stages.count) stages, cannot stop after number \(last ?? run)")
    precondition(
      training.lowerBound >= 0 && training.upperBound <= run,
      "cannot train parts \(training) where \(run) of \(partCount) parts run")
    let reached = stages.prefix(run).map(\.tap)
    precondition(
      kept.isSubset(of: reached), "taps \(kept.sorted()) are asked for, \(reached) are reached")

    var x = images
    var features: [String: Tensor] = [:]
    var trainedShape: [Int] = []
    for part in 0..<run {
      let mode: Mode = training.contains(part) ? .training : .inference
      x = layer(ofPart: part).forward(x, mode: mode, on: execution)
      if part < stages.count, kept.contains(stages[part].tap) { features[stages[part].tap] = x }
      if part + 1 == training.upperBound { trainedShape = x.shape }
    }
    if !training.isEmpty { pending.append(Pending(parts: training, shape: trainedShape)) }
    return NetworkOutput(logits: last == nil ? x : nil, features: features)
  }

  /// A pass in inference mode from the images, N×H×W×3 and normalised, to the logits, N×classes, with the
  /// features at the taps in `kept`, N×H×W×C.
  package func infer(
    _ images: Tensor, keeping kept: Set<String> = [], on execution: Execution
  ) -> (logits: Tensor, features: [String: Tensor]) {
    let output = forward(images, training: 0..<0, keeping: kept, on: execution)
    guard let logits = output.logits else { preconditionFailure("a whole pass gives logits") }
    return (logits, output.features)
  }

  /// Adds this batch's gradients to the parameters of the trained parts.
  ///
  /// Belongs to the last training forward that has none yet, and goes back through its training
  /// range only. Without a gradient at the end of that range, zero is assumed there.
  ///
  /// - Parameters:
  ///   - logits: the gradient at the logits, N×classes; only if the head was trained.
  ///   - features: gradients at taps of trained stages, N×H×W×C.
  package func backward(logits: Tensor?, features: [String: Tensor], on execution: Execution) {
    guard let forward = pending.popLast() else {
      preconditionFailure("backward without a forward in training mode")
    }
    precondition(
      logits == nil || forward.parts.contains(stages.count),
      "a gradient at the logits, but only parts \(forward.parts) of \(partCount) were trained")
    let trained = forward.parts.filter { $0 < stages.count }.map { stages[$0].tap }
    precondition(
      Set(features.keys).isSubset(of: trained),
      "gradients at taps \(features.keys.sorted()), but the trained ones are \(trained)")

    var gradient = logits
    for part in forward.parts.reversed() {
      if part < stages.count, let injected = features[stages[part].tap] {
        gradient = gradient.map { sum($0, injected, rectify: false, on: execution) } ?? injected
      }
      let output = gradient ?? .zeros(forward.shape, in: execution.memory)
      gradient = layer(ofPart: part).backward(output, on: execution)
    }
  }

  /// All trainable parameters, in definition order.
  package var parameters: [Parameter] { (0..<partCount).flatMap(parameters(ofPart:)) }

  /// The trainable parameters of one part.
  package func parameters(ofPart part: Int) -> [Parameter] { layer(ofPart: part).parameters }

  /// Running statistics and batch counters, in definition order.
  package var buffers: [StateBuffer] { (0..<partCount).flatMap { layer(ofPart: $0).buffers } }

  /// Forgets the gradients of all parameters.
  package func zeroGradients() {
    for parameter in parameters { parameter.zeroGradient() }
  }

  private func layer(ofPart part: Int) -> any Layer {
    precondition(
      (0...stages.count).contains(part), "\(architecture) has parts 0…\(stages.count), not \(part)")
    return part < stages.count ? stages[part].layer : head
  }
}
