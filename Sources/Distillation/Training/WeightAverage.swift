package import Networks
package import Tensors

/// The exponential moving average of a network's weights and running statistics, timm's
/// `ModelEmaV3`: average += (1 − decay)·(value − average) in fp32 after each step, beginning with
/// the initial weights. Batch counters are copied.
///
/// Not decay·average + (1 − decay)·value: in fp32 the two factors do not add up to 1, and with a
/// decay of 0.99999 the average would settle 0.14 % beside the value.
package final class WeightAverage {
  /// A network of its own with the averaged weights.
  package let network: Classifier
  private let rest: Float

  /// - Parameter decay: above 0 and below 1.
  /// - Throws: `NetworkError` for an architecture that has no name in the registry.
  package init(of student: Classifier, decay: Double) throws(NetworkError) {
    precondition(decay > 0 && decay < 1, "the decay of an average lies in (0, 1), got \(decay)")
    rest = Float(1 - decay)
    network = try Architecture.make(student.architecture, classes: student.classes)
    for (mine, theirs) in zip(network.parameters, student.parameters) {
      mine.value.pointer.update(from: theirs.value.pointer, count: theirs.value.count)
    }
    for (mine, theirs) in zip(network.buffers, student.buffers) { mine.values = theirs.values }
  }

  /// Moves the average towards the student.
  package func update(from student: Classifier, on execution: Execution) {
    let outer = execution.enter(.optimizer)
    defer { execution.leave(outer) }
    let rest = rest
    for (mine, theirs) in zip(network.parameters, student.parameters) {
      nonisolated(unsafe) let (average, value) = (mine.value.pointer, theirs.value.pointer)
      execution.parallelRanges(mine.value.count, atLeast: 8192) { range in
        for i in range { average[i] += rest * (value[i] - average[i]) }
      }
    }
    for (mine, theirs) in zip(network.buffers, student.buffers) {
      if mine.isInteger {
        mine.values = theirs.values
      } else {
        for i in theirs.values.indices {
          mine.values[i] += rest * (theirs.values[i] - mine.values[i])
        }
      }
    }
  }
}
