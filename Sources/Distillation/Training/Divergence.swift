import Networks
import Tensors

/// A loss, gradient or weight that is no longer a number.
package struct Divergence: Error, CustomStringConvertible, Sendable {
  /// What was not finite: "the loss", "the gradient at fc.weight", "layer1.0.bn1.running_var".
  package let what: String
  /// Of the whole run, from 1.
  package let step: Int
  package let epoch: Int  // from 1
  /// The images of that step.
  package let images: [Int]
  /// Where the run can be taken up before it went wrong, in words; set by who keeps checkpoints.
  package var lastGood: String?

  package init(what: String, step: Int, epoch: Int, images: [Int]) {
    self.what = what
    self.step = step
    self.epoch = epoch
    self.images = images
  }

  package var description: String {
    let shown = images.prefix(8).map(String.init).joined(separator: ", ")
    let more = images.count > 8 ? ", … (\(images.count) in all)" : ""
    let batch = images.isEmpty ? "" : ", whose batch holds images \(shown)\(more)"
    let checkpoint = lastGood.map { $0 + "; " } ?? ""
    return "\(what) is not finite at step \(step) (epoch \(epoch))\(batch); \(checkpoint)"
      + "a lower --lr is the usual cure"
  }
}

extension Trainer {
  /// Refuses a gradient that is not finite, before the optimiser spreads it.
  func checkGradients(_ ids: [Int]) throws(Divergence) {
    let bad = optimizer.parameters.first { !$0.gradient.isFinite }
    if let bad { throw divergence("the gradient at \(bad.name)", ids, step: step) }
  }

  /// Refuses weights, running statistics, averages and momentum that are not finite; asked before
  /// anything is written, so that a checkpoint can always be gone on from.
  package func checkState() throws(Divergence) {
    func refuse(_ what: String) throws(Divergence) -> Never {
      throw divergence(what, lastImages, step: max(step - 1, 0))
    }
    for network in [task.student] + (average.map { [$0.network] } ?? []) {
      let whose = network === task.student ? "" : "the average of "
      if let bad = network.parameters.first(where: { !$0.value.isFinite }) {
        try refuse(whose + bad.name)
      }
      if let bad = network.buffers.first(where: { !$0.values.allSatisfy(\.isFinite) }) {
        try refuse(whose + bad.name)
      }
    }
    if let bad = optimizer.firstNonFiniteMomentum {
      try refuse("the momentum of \(bad)")
    }
    for parameter in matchers.compactMap(\.adapter).flatMap(\.parameters)
    where !parameter.value.isFinite {
      try refuse(parameter.name)
    }
  }

  /// - Parameters:
  ///   - ids: the images of the step.
  ///   - step: of the whole run, from 0.
  func divergence(_ what: String, _ ids: [Int], step: Int) -> Divergence {
    Divergence(
      what: what, step: step + 1, epoch: step / task.plan.stepsPerEpoch + 1, images: ids)
  }
}
