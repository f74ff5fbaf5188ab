import Datasets
import Distillation
import Networks
import Tensors

/// What a run's networks got right after an epoch.
struct RunAccuracy {
  /// What the student said about the test set, and how often it was right.
  let answers: Predictions
  let test: Accuracy
  /// The moving average of its weights on the test set; nil in a run without one.
  let average: Accuracy?
  /// The student on the images that were set aside; nil where none were.
  let validation: Accuracy?

  /// Percent; the largest of a run chooses `best`.
  var deciding: Double { validation?.top1 ?? test.top1 }
}

extension TrainingInputs {
  /// Looks at plain views of the test set and of what was set aside.
  ///
  /// - Throws: `NonFiniteAnswer` for a network that has diverged.
  func accuracy(average: Classifier?, on execution: Execution) throws -> RunAccuracy {
    func onTest(_ network: Classifier) throws -> Predictions {
      try predict(
        network, on: data.test, info: data.info, normalization: normalization,
        execution: execution)
    }
    let answers = try onTest(student)
    return RunAccuracy(
      answers: answers, test: answers.accuracy,
      average: try average.map { try onTest($0).accuracy },
      validation: validation.isEmpty
        ? nil
        : try evaluate(
          student, on: data.train, only: validation, info: data.info,
          normalization: normalization, execution: execution))
  }
}
