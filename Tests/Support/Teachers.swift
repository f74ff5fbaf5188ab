package import Networks

/// A resnet8 that learned nothing, but has opinions: with its initial head all confidences would lie
/// below CRLD's thresholds, and no mask would let anything through. Of weak views of digits about
/// half reach 0.9.
package func untrainedTeacher(seed: UInt64, classes: Int = 10) throws -> Classifier {
  let network = try Architecture.make("resnet8", classes: classes)
  network.initialize(seed: seed)
  for parameter in network.parameters where parameter.name == "fc.weight" {
    parameter.setState(parameter.stateValues().map { $0 * 8 })
  }
  return network
}
