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

  /// The mean over the classes of what was set aside, in percent: as in the test set no class counts more,
  /// however many images it has here. nil where nothing was.
  var validationTop1: Double? {
    validation.flatMap { $0.top1(ofClasses: Array($0.classImages.indices)) }
  }

  /// Percent; the largest of a run chooses `best`.
  var deciding: Double { validationTop1 ?? test.top1 }
}

extension TrainingInputs {
  /// Looks at plain views of the test set and of what was set aside.
  ///
  /// - Parameter progress: called after every batch with the number of images seen and that of all; may
  ///   throw to stop.
  /// - Throws: `NonFiniteAnswer` for a network that has diverged, and what `progress` throws.
  func accuracy(
    average: Classifier?, on execution: Execution,
    progress: (_ done: Int, _ total: Int) throws -> Void
  ) throws -> RunAccuracy {
    let total = data.test.count * (average == nil ? 1 : 2) + validation.count
    var before = 0
    func answers(
      of network: Classifier, on images: ImageSet, only chosen: [Int]? = nil
    ) throws -> Predictions {
      defer { before += chosen?.count ?? images.count }
      return try predict(
        network, on: images, only: chosen, info: data.info, normalization: normalization,
        logitScale: logitScale, execution: execution
      ) { try progress(before + $0, total) }
    }
    let test = try answers(of: student, on: data.test)
    return RunAccuracy(
      answers: test, test: test.accuracy,
      average: try average.map { try answers(of: $0, on: data.test).accuracy },
      validation: validation.isEmpty
        ? nil : try answers(of: student, on: data.train, only: validation).accuracy)
  }
}
