import Datasets
import Distillation
import Foundation
import Networks
import Reporting
import TeacherCache
import Tensors

/// What is found out about a run when it ends: how the student answers the test set, how it compares
/// with its teacher, and what the teacher's work comes to.
struct RunAssessment {
  let inputs: TrainingInputs
  let settings: Settings
  let execution: Execution
  /// Training images on which teacher and student are compared, at most.
  private static let sample = 1000
  private static let confusions = 20

  /// - Parameters:
  ///   - answers: the student's, about the test set.
  ///   - seconds: of training, all epochs together.
  func evaluation(
    answers: Predictions, trainingSeconds seconds: Double
  ) throws -> RunEvaluation {
    var evaluation = RunEvaluation()
    evaluation.test = test(answers)
    let written = (inputs.teacher as? WriteThroughTeacher)?.cacheInfo
    evaluation.cache = (written ?? inputs.cacheInfo).flatMap { info in
      inputs.cacheIdentity.map { Self.facts(info, $0) }
    }
    guard settings.method.needsTeacher, let teacher = inputs.teacher else { return evaluation }
    do {
      let renderer = ViewRenderer(
        images: inputs.data.train, info: inputs.data.info, seed: inputs.viewSeed)
      evaluation.comparison = try comparison(with: teacher, renderer)
      evaluation.seen = try seen(by: teacher, renderer)
      // A method on features alone runs the teacher in part of its steps, and not to the end; who
      // writes through, only on views that are seen for the first time.
      if settings.method.needsTeacherLogits, !(teacher is WriteThroughTeacher) {
        evaluation.cost = cost(of: teacher, renderer, trainingSeconds: seconds)
      }
    } catch CacheError.missing {
      // A view that the run had no use for is not stored: the report goes without.
    } catch is NonFiniteTeacher {
      // Logits that nobody listened to, since SSKD compares features: likewise.
    }
    return evaluation
  }

  private func test(_ answers: Predictions) -> RunEvaluation.Test {
    var pairs: [Int: Int] = [:]  // label · classes + predicted
    for (label, predicted) in zip(answers.labels, answers.predicted) where label != predicted {
      pairs[label * answers.classes + predicted, default: 0] += 1
    }
    let confusions = pairs.sorted { (-$0.value, $0.key) < (-$1.value, $1.key) }
      .prefix(Self.confusions).map { pair, count in
        RunEvaluation.Confusion(
          label: pair / answers.classes, predicted: pair % answers.classes, count: count)
      }
    let accuracy = answers.accuracy
    return RunEvaluation.Test(
      classNames: inputs.classNames, trainingImages: inputs.subsetCounts,
      images: accuracy.classImages, correct: accuracy.classCorrect, confusions: confusions,
      calibration: Calibration(confidences: answers.confidence, correct: answers.isCorrect))
  }

  /// The views of an image that the run looks at, a few of each kind.
  private func views(each: Int) -> [View] {
    if settings.plainViews { return [.plain] }
    let views = inputs.views
    let weak = (0..<(views.crops ? each : min(views.weak, each))).map(View.weak)
    let strong =
      settings.method.views.contains(.strong) && views.strong > 0 ? [View.strong(0)] : []
    return weak + strong
  }

  /// At most `count` of the images that are trained on, evenly spread.
  private func images(_ count: Int) -> [Int] {
    let count = min(count, inputs.images.count)
    return (0..<count).map { inputs.images[$0 * inputs.images.count / count] }
  }

  private func comparison(
    with teacher: any TeacherSource, _ renderer: ViewRenderer
  ) throws -> RunEvaluation.Comparison? {
    guard let view = views(each: 1).first else { return nil }
    let keys = images(Self.sample).map { ViewKey(image: $0, view: view) }
    let student = try predict(
      inputs.student, keys, renderer: renderer, normalization: inputs.normalization,
      execution: execution)
    var logits: [Float] = []
    for start in stride(from: 0, to: keys.count, by: 100) {
      let part = Array(keys[start..<min(start + 100, keys.count)])
      logits += try teacher.logits(ViewBatch(keys: part, renderer: renderer, on: execution))
        .logits.floats
    }
    let taught = Predictions(labels: student.labels, logits: logits, classes: student.classes)
    let divergence = meanDivergence(
      Matrix(rows: keys.count, columns: taught.classes, floats: student.logits),
      target: softmax(Matrix(rows: keys.count, columns: taught.classes, floats: logits)),
      temperature: 1
    ).value
    let agreed = zip(student.predicted, taught.predicted).count { $0 == $1 }
    return RunEvaluation.Comparison(
      views: view.description, images: keys.count,
      agreement: 100 * Double(agreed) / Double(keys.count), teacherTop1: taught.accuracy.top1,
      studentTop1: student.accuracy.top1, divergence: divergence,
      teacher: Calibration(confidences: taught.confidence, correct: taught.isCorrect),
      student: Calibration(confidences: student.confidence, correct: student.isCorrect))
  }

  /// Some views of a few images, with the classes that the teacher took them for.
  private func seen(
    by teacher: any TeacherSource, _ renderer: ViewRenderer
  ) throws -> [RunEvaluation.Seen] {
    let views = views(each: 2)
    let keys = images(4).flatMap { image in views.map { ViewKey(image: image, view: $0) } }
    guard !keys.isEmpty else { return [] }
    let batch = ViewBatch(keys: keys, renderer: renderer, on: execution)
    let p = softmax(try teacher.logits(batch).logits)
    return keys.enumerated().map { i, key in
      let row = Array(p.row(i))
      let top = row.indices.sorted { (row[$0], $1) > (row[$1], $0) }.prefix(3)
      return RunEvaluation.Seen(
        image: key.image, view: key.view.description, label: renderer.images.labels[key.image],
        png: Data(Picture(of: key, renderer).png), classes: Array(top),
        probabilities: top.map { row[$0] })
    }
  }

  private static func facts(_ info: CacheInfo, _ identity: CacheIdentity) -> CacheFacts {
    CacheFacts(
      id: info.cacheID, teacher: identity.teacherArchitecture,
      teacherWeights: identity.teacherWeights, codec: identity.logits.rawValue, views: info.views,
      records: info.records, bytes: info.bytes, bytesPerView: info.logitBytesPerView,
      errorBound: info.logitErrorBound,
      errorMeasured: info.codingError.views == 0
        ? nil : CodingError.Setting.allCases.map(info.codingError.largest).max())
  }

  /// Times a forward pass of teacher and student; nil for a teacher whose network is not known here.
  private func cost(
    of teacher: any TeacherSource, _ renderer: ViewRenderer, trainingSeconds: Double
  ) -> TeacherCost? {
    let keys = images(64).map { ViewKey(image: $0, view: .plain) }
    let batch = ViewBatch(keys: keys, renderer: renderer, on: execution)
    let input = batch.images(inputs.normalization, on: execution)
    let teacherCost: ForwardCost
    if let identity = inputs.cacheIdentity {
      guard
        let network = try? Architecture.make(
          identity.teacherArchitecture, classes: identity.classes)
      else { return nil }
      // Any weights take the same time, but for the smallest of numbers.
      network.initialize(seed: 0)
      teacherCost = ForwardCost(of: network, on: input, threads: execution.threads)
    } else if let live = teacher as? LiveTeacher {
      teacherCost = ForwardCost(of: live.network, on: input, threads: execution.threads)
    } else {
      return nil
    }
    let student = ForwardCost(of: inputs.student, on: input, threads: execution.threads)
    return TeacherCost(
      isLive: !(teacher is CachedTeacher), teacherSeconds: teacherCost.seconds,
      studentSeconds: student.seconds,
      views: inputs.images.count * settings.epochs * settings.method.views.count,
      storedViews: inputs.cacheInfo?.records, trainingSeconds: trainingSeconds)
  }
}

extension Picture {
  /// The pixels of a view, as they are.
  init(of key: ViewKey, _ renderer: ViewRenderer) {
    let info = renderer.info
    var scratch = RenderScratch(imageBytes: info.imageBytes)
    var pixels = [UInt8](repeating: 0, count: info.imageBytes)
    pixels.withUnsafeMutableBufferPointer {
      _ = renderer.render(key, into: $0, scratch: &scratch)
    }
    self.init(height: info.height, width: info.width, fill: Picture.Color(0, 0, 0))
    draw(pixels, height: info.height, width: info.width, scale: 1, row: 0, column: 0)
  }
}
