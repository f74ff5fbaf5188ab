import Foundation
package import Networks
import Tensors

/// A checkpoint that does not fit the run it should resume.
package struct StateError: Error, CustomStringConvertible, Sendable {
  package let description: String
}

extension Trainer {
  private static let version = "2"

  /// Names the arithmetic that a state was reached with (`KernelLevel.arithmetic`).
  package static let arithmeticKey = "arithmetic"

  /// Everything that the rest of the run depends on: weights, running statistics, their moving
  /// average, momentum, adapters, the place in the run and the sums of the epoch under way. Views,
  /// order and rates are pure functions of the place, so there is no generator to save.
  ///
  /// - Parameter notes: metadata of the caller's own.
  package func state(notes: [String: String] = [:]) throws -> SafeTensors {
    var tensors: [String: StateTensor] = [:]
    for (name, tensor) in task.student.state(metadata: [:]).tensors {
      tensors["weights." + name] = tensor
    }
    for (name, tensor) in average?.network.state(metadata: [:]).tensors ?? [:] {
      tensors["ema." + name] = tensor
    }
    for (name, momentum) in optimizer.state {
      tensors["momentum." + name] = StateTensor(momentum, shape: [momentum.count])
    }
    for adapter in matchers.compactMap(\.adapter) {
      for parameter in adapter.parameters {
        tensors[parameter.name] = StateTensor(
          parameter.stateValues(), shape: parameter.stateShape)
      }
    }
    let totals = String(decoding: try JSONEncoder.sorted.encode(totals), as: UTF8.self)
    let place = [
      "version": Self.version, "step": String(step), "totals": totals,
      Self.arithmeticKey: KernelLevel.arithmetic,
    ]
    var state = SafeTensors(metadata: place.merging(notes) { own, _ in own }, tensors: tensors)
    state.metadata["content"] = state.contentHash
    return state
  }

  /// Puts the trainer where ``state(notes:)`` was taken.
  package func restore(_ state: SafeTensors, path: String) throws {
    guard state.metadata["version"] == Self.version,
      let step = state.metadata["step"].flatMap(Int.init), step >= 0, step <= task.plan.totalSteps,
      let text = state.metadata["totals"],
      let totals = try? JSONDecoder().decode(EpochTotals.self, from: Data(text.utf8)),
      totals.isPossible
    else {
      throw StateError(
        description: "\(path): not the state of such a run (version, step or totals do not fit); "
          + "choose another --output, or delete the folder to begin again")
    }
    var content = state
    content.metadata["content"] = nil
    guard state.metadata["content"] == content.contentHash else {
      throw StateError(
        description: "\(path) is damaged: its bytes are not those that were written; put it back "
          + "from a copy, or delete the folder to begin again")
    }
    self.totals = totals
    self.step = step
    let last = max(step - 1, 0)
    try enterPhase(task.plan.phaseIndex(at: last))
    learningRate = phase.schedule.rate(
      epoch: last / task.plan.stepsPerEpoch, step: last - phase.steps.lowerBound)
    var (weights, averaged) = (SafeTensors(), SafeTensors())
    var momentum: [String: [Float]] = [:]
    for (name, tensor) in state.tensors {
      if name.hasPrefix("weights.") {
        weights.tensors[String(name.dropFirst("weights.".count))] = tensor
      } else if name.hasPrefix("ema.") {
        averaged.tensors[String(name.dropFirst("ema.".count))] = tensor
      } else if name.hasPrefix("momentum.") {
        momentum[String(name.dropFirst("momentum.".count))] = tensor.floats
      }
    }
    try task.student.load(weights, path: path)
    try average?.network.load(averaged, path: path)
    for parameter in matchers.compactMap(\.adapter).flatMap(\.parameters) {
      guard let tensor = state.tensors[parameter.name], tensor.shape == parameter.stateShape else {
        throw StateError(description: "\(path): the adapter \(parameter.name) is missing")
      }
      parameter.setState(tensor.floats)
    }
    let sizes = Dictionary(
      uniqueKeysWithValues: optimizer.parameters.map { ($0.name, $0.stateShape.reduce(1, *)) })
    for (name, values) in momentum where sizes[name] != values.count {
      throw StateError(description: "\(path): the momentum of \(name) does not fit this network")
    }
    optimizer.state = momentum
  }
}

extension JSONEncoder {
  static var sorted: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return encoder
  }
}
