package import Datasets
import Distillation
import Foundation
import Networks
package import Reporting
package import TeacherCache
package import Tensors

/// What `teacher-dump` is asked to store.
package struct DumpRequest: Sendable {
  package var dataset: DatasetName
  package var dataPath: String
  package var subset = Subset.all
  package var teacher: String  // path of a weight file
  package var architecture: String?
  package var mean: [Float]?
  package var std: [Float]?
  package var views: ViewSet
  package var viewSeed: UInt64 = 0
  package var logits = LogitCodec.q8
  package var taps: [String] = []
  package var featureViews = ViewSet(weak: 1)
  package var featurePrecision = FeaturePrecision.fp16
  package var cache: String  // folder
  package var batchSize = 128  // views

  package init(
    dataset: DatasetName, dataPath: String, teacher: String, views: ViewSet, cache: String
  ) {
    self.dataset = dataset
    self.dataPath = dataPath
    self.teacher = teacher
    self.views = views
    self.cache = cache
  }
}

/// One evaluation of a teacher into a cache: whatever the cache does not hold yet.
package final class DumpSession {
  private let request: DumpRequest
  private let images: [Int]
  private let labels: [Int]
  private let teacher: LoadedNetwork
  private let taps: [TapShape]
  private let pass: TeacherPass
  package let identity: CacheIdentity

  package init(_ request: DumpRequest, on execution: Execution) throws {
    self.request = request
    let info = request.dataset.info
    let train = try ImageDataset.loadTrain(request.dataset, from: request.dataPath)
    images = try request.subset.indices(labels: train.labels, classes: info.classes)
    labels = train.labels
    teacher = try LoadedNetwork(
      weights: request.teacher, architecture: request.architecture, mean: request.mean,
      std: request.std, info: info)
    let sizes = teacher.network.tapSizes(height: info.height, width: info.width)
    taps = try request.taps.map { name in
      guard let shape = sizes.first(where: { $0.tap == name }) else {
        throw unknown("tap", name, sizes.map(\.tap))
      }
      return shape
    }
    pass = TeacherPass(
      teacher.network, normalization: teacher.normalization,
      renderer: ViewRenderer(images: train, info: info, seed: request.viewSeed), on: execution)
    identity = CacheIdentity(
      dataset: request.dataset.rawValue, datasetHash: train.contentHash(), classes: info.classes,
      height: info.height, width: info.width, augmentations: info.augmentations,
      viewSeed: request.viewSeed, teacherArchitecture: teacher.network.architecture,
      teacherWeights: teacher.weightHash, teacherMean: teacher.normalization.mean,
      teacherStd: teacher.normalization.std, logits: request.logits,
      featurePrecision: request.featurePrecision)
  }

  /// Runs the teacher over everything that is missing and seals it.
  ///
  /// - Parameter shouldStop: asked after every batch; true keeps what was written and throws
  ///   ``Stopped``; the same command goes on from there.
  package func run(progress: ProgressLine, shouldStop: () -> Bool) throws -> DumpReport {
    let writer = try CacheWriter.open(
      request.cache, identity: identity, kernelLevel: KernelLevel.name)
    defer { writer.close() }
    let units = try writer.missing(
      images: images, views: request.views.views(in: request.dataset.info), taps: taps,
      featureViews: request.featureViews.views(in: request.dataset.info))
    let clock = ContinuousClock()
    let start = clock.now
    let total = units.reduce(0) { $0 + $1.images.count * $1.requests.count }
    var done = 0
    for (number, work) in units.enumerated() {
      let unit = try writer.begin(work)
      let remaining = unit.remainingImages
      done += (work.images.count - remaining.count) * work.requests.count
      var seen = 0
      let perBatch = max(request.batchSize / work.requests.count, 1)
      for first in stride(from: 0, to: remaining.count, by: perBatch) {
        let batch = Array(remaining[first..<min(first + perBatch, remaining.count)])
        try store(batch, work, in: unit)
        seen += batch.count * work.requests.count
        progress.update {
          let rate = Double(done + seen) / seconds(clock.now - start)
          return "unit \(number + 1)/\(units.count)  \(grouped(done + seen)) of \(grouped(total)) "
            + "views  \(Int(rate)) views/s  "
            + "\(durationText(Double(total - done - seen) / max(rate, 1e-9))) left"
        }
        if shouldStop() {
          try unit.commit()
          throw Stopped()
        }
      }
      try unit.seal()
      done += seen
    }
    progress.clear()
    return DumpReport(views: total, seconds: seconds(clock.now - start))
  }

  /// Runs the teacher over the views of a few images and stores them.
  private func store(_ ids: [Int], _ work: WorkUnit, in unit: UnitWriter) throws {
    let keys = ids.flatMap { id in
      work.requests.map { ViewKey(image: id, view: $0.view) }
    }
    let output = try pass.run(keys, keeping: Set(work.requests.flatMap(\.taps)))
    let classes = identity.classes
    for (i, id) in ids.enumerated() {
      let records = work.requests.enumerated().map { j, wanted in
        let row = i * work.requests.count + j
        var features: [String: [Float]] = [:]
        for tap in wanted.taps {
          guard let tensor = output.features[tap] else { preconditionFailure("no tap \(tap)") }
          let size = tensor.count / keys.count
          features[tap] = Array(
            UnsafeBufferPointer(start: tensor.pointer + row * size, count: size))
        }
        return ViewRecord(
          view: wanted.view, pixelHash: output.hashes[row],
          logits: wanted.needsLogits
            ? Array(output.logits[(row * classes)..<((row + 1) * classes)]) : nil,
          features: features)
      }
      try unit.append(image: id, label: labels[id], views: records)
    }
  }
}

/// What a dump did.
package struct DumpReport: Sendable {
  /// (image, view) pairs that the teacher was evaluated on.
  package let views: Int
  package let seconds: Double
}

func seconds(_ duration: Duration) -> Double {
  Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}
