import Datasets
import Distillation
import FileIO
import Networks
import TeacherCache
import Tensors

/// What a dump would cost and what its cache would be worth, before any of it is done.
package struct DumpEstimate: Sendable {
  /// A student and how much faster its steps are from the cache than with the teacher beside it.
  package struct Gain: Sendable {
    package let student: String
    package let studentSeconds: Double  // a view, forward
    /// 1 + T / 3S: an online step costs T + 3S, a cached one 3S.
    package let speedup: Double
  }

  package let cacheID: String
  package let images: Int
  /// (image, view) pairs that are asked for, and of them those that the teacher has to see.
  package let requested: Int
  package let views: Int
  package let bytes: Int
  /// Of one view's logits, with its share of what each unit has beside them; nil where nothing is to be
  /// stored.
  package let logitBytesPerView: Double?
  package let seconds: Double
  /// The teacher with rendering and coding; nil where nothing is missing.
  package let viewsPerSecond: Double?
  package let freeBytes: Int
  package let teacher: String
  package let teacherSeconds: Double  // a view, forward
  package let gains: [Gain]
  /// The dump's teacher work, in that of students which run the teacher beside them for
  /// `studentEpochs` epochs.
  package let costInStudents: Double

  /// The epochs of most recipes.
  package static let studentEpochs = 240

  /// From how many students on the teacher has worked less with the cache.
  package var breakEvenStudents: Int { max(1, Int(costInStudents.rounded(.up))) }

  package var fitsOnDisk: Bool { bytes <= freeBytes }
}

extension DumpSession {
  /// Evaluates the teacher for about a second on images that are missing, codes what it says, and
  /// writes nothing.
  package func estimate() throws -> DumpEstimate {
    let plan = try plan()
    var groups: [[ViewRequest]: [Int]] = [:]
    for unit in plan.work { groups[unit.requests, default: []] += unit.images }
    let logitRecords = plan.work.reduce(0) { $0 + $1.logitRecords }
    var (bytes, logitBytes, time) = (0.0, 0.0, 0.0)
    for (requests, images) in groups.sorted(by: { $0.value[0] < $1.value[0] }) {
      let share = Double(images.count * requests.count) / Double(plan.views)
      let sample = try measure(images, requests, atLeast: share)
      let factor = Double(images.count) / Double(sample.images)
      bytes += factor * Double(sample.size.logitBytes + sample.size.featureBytes)
      time += Double(images.count * requests.count) * sample.secondsPerView
      logitBytes += factor * Double(sample.size.logitBytes)
    }
    for unit in plan.work {
      bytes += Double(StoredSize.unitOverhead(tables: 1 + unit.taps.count))
      if unit.logitRecords > 0 { logitBytes += Double(StoredSize.unitOverhead(tables: 1)) }
    }
    let (teacherSeconds, gains) = try measureGains()
    let requested = images.count * Set(request.logitViews + requestedFeatureViews).count
    let perEpoch = Double(images.count * viewsPerStep * DumpEstimate.studentEpochs)
    return DumpEstimate(
      cacheID: identity.cacheID, images: images.count, requested: requested, views: plan.views,
      bytes: Int(bytes),
      logitBytesPerView: logitRecords > 0 ? logitBytes / Double(logitRecords) : nil,
      seconds: time, viewsPerSecond: plan.views > 0 ? Double(plan.views) / time : nil,
      freeBytes: freeBytes(at: FileSystem.nearestExisting(request.cache)) ?? 0,
      teacher: teacher.network.architecture, teacherSeconds: teacherSeconds, gains: gains,
      costInStudents: Double(plan.views) / perEpoch)
  }

  private var requestedFeatureViews: [View] { taps.isEmpty ? [] : request.featureViews }

  /// Views of an image that a step of a student looks at: two where strong ones are stored too.
  private var viewsPerStep: Int {
    request.views.strong > 0 && request.views != ViewSet(strong: request.views.strong) ? 2 : 1
  }

  private struct Sample {
    var images = 0
    var secondsPerView = 0.0
    var size: StoredSize
  }

  /// Evaluates and codes batches of images spread over all of them; the first is not timed.
  private func measure(
    _ images: [Int], _ requests: [ViewRequest], atLeast time: Double
  ) throws -> Sample {
    let perBatch = max(request.batchSize / requests.count, 1)
    var sample = Sample(size: StoredSize(identity, taps: taps))
    var (start, timed) = (ContinuousClock.now, 0)
    var position = 0
    repeat {
      // Golden-ratio steps visit images from everywhere, none twice for long.
      let ids = (0..<min(perBatch, images.count)).map { _ in
        position += 1
        return images[
          Int(
            (Double(position) * 0.618_033_988_75).truncatingRemainder(dividingBy: 1)
              * Double(images.count))]
      }
      for (id, views) in zip(ids, try evaluate(ids, requests)) {
        try sample.size.add(views, image: id)
      }
      if sample.images == 0 { start = .now } else { timed += ids.count * requests.count }
      sample.images += ids.count
    } while timed == 0 || (ContinuousClock.now - start).seconds < time
    sample.secondsPerView = (ContinuousClock.now - start).seconds / Double(timed)
    return sample
  }

  /// The teacher's forward pass, and that of the networks which compute no more than it does.
  private func measureGains() throws -> (teacherSeconds: Double, gains: [DumpEstimate.Gain]) {
    let keys = (0..<64).map { ViewKey(image: images[$0 % images.count], view: .plain) }
    let input = ViewBatch(keys: keys, renderer: renderer, on: execution)
      .images(teacher.normalization, on: execution)
    let teacherCost = ForwardCost(of: teacher.network, on: input, threads: execution.threads)
    var gains: [DumpEstimate.Gain] = []
    let students = ["resnet8", "resnet20", "resnet32", "wrn_16_2", "resnet8x4", "MobileNetV2"]
    for name in students {
      let student = try Architecture.make(name, classes: identity.classes)
      student.initialize(seed: 0)
      let cost = ForwardCost(of: student, on: input, threads: execution.threads)
      guard cost.multiplyAdds <= teacherCost.multiplyAdds else { continue }
      gains.append(
        DumpEstimate.Gain(
          student: name, studentSeconds: cost.seconds,
          speedup: 1 + teacherCost.seconds / (3 * cost.seconds)))
    }
    return (teacherCost.seconds, gains)
  }
}
