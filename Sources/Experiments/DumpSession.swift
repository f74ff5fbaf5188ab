package import Datasets
import Distillation
import Foundation
import Networks
package import Reporting
package import TeacherCache
package import Tensors

/// One evaluation of a teacher into a cache: whatever the cache does not hold yet.
package final class DumpSession {
  let request: DumpRequest
  /// Original ids of the images that are asked for.
  let images: [Int]
  private let labels: [Int]
  let teacher: LoadedNetwork
  let taps: [TapShape]
  let pass: TeacherPass
  let renderer: ViewRenderer
  let execution: Execution
  package let identity: CacheIdentity

  /// - Parameter train: the data set's training images; read from the request's folder without.
  package init(
    _ request: DumpRequest, train: ImageSet? = nil, on execution: Execution
  ) throws {
    try request.check()
    self.request = request
    self.execution = execution
    let info = request.dataset.info
    let train = try train ?? ImageDataset.loadTrain(request.dataset, from: request.dataPath)
    images = try request.subset.indices(labels: train.labels, classes: info.classes)
    labels = train.labels
    teacher = try LoadedNetwork(
      weights: request.teacher, architecture: request.architecture, mean: request.mean,
      std: request.std, info: info)
    try teacher.network.requireLogits(request.teacher)
    let sizes = teacher.network.tapSizes(height: info.height, width: info.width)
    taps = try request.form.taps.map { name in
      guard let shape = sizes.first(where: { $0.tap == name }) else {
        throw unknown("tap", name, sizes.map(\.tap))
      }
      return shape
    }
    renderer = ViewRenderer(images: train, info: info, seed: request.viewSeed)
    pass = TeacherPass(
      teacher.network, normalization: teacher.normalization, renderer: renderer, on: execution)
    identity = CacheIdentity(
      dataset: request.dataset.rawValue, datasetHash: train.contentHash(), classes: info.classes,
      height: info.height, width: info.width, augmentations: info.augmentations,
      viewSeed: request.viewSeed, teacherArchitecture: teacher.network.architecture,
      teacherWeights: teacher.weightHash, teacherMean: teacher.normalization.mean,
      teacherStd: teacher.normalization.std, logits: request.form.logits,
      featurePrecision: request.form.featurePrecision)
  }

  /// What the cache lacks; nothing is changed.
  func plan() throws -> CachePlan {
    try CachePlan(
      request.cache, identity: identity, images: images, views: request.logitViews, taps: taps,
      featureViews: request.featureViews)
  }

  /// The teacher that fills the cache while it is listened to; holds the cache's lock.
  func openWriteThrough(taps: [TapShape]) throws -> WriteThroughTeacher {
    let cache = try GrowingCache(
      openWriter(), images: images, views: request.logitViews, taps: self.taps,
      featureViews: request.featureViews)
    return WriteThroughTeacher(
      cache, pass: pass, labels: labels, taps: taps, renderer: renderer, on: execution)
  }

  private func openWriter() throws -> CacheWriter {
    try CacheWriter.open(
      request.cache, identity: identity, kernelLevel: KernelLevel.name,
      allowNetworkFileSystem: request.form.allowNetworkFileSystem)
  }

  /// Runs the teacher over everything that is missing and seals it.
  ///
  /// - Parameter shouldStop: asked after every batch; true keeps what was written and throws
  ///   ``Stopped``; the same command goes on from there.
  package func run(progress: ProgressLine, shouldStop: () -> Bool) throws -> DumpReport {
    let writer = try openWriter()
    defer { writer.close() }
    let units = try writer.missing(
      images: images, views: request.logitViews, taps: taps, featureViews: request.featureViews)
    let clock = ContinuousClock()
    let start = clock.now
    let total = units.reduce(0) { $0 + $1.images.count * $1.requests.count }
    var (done, kept) = (0, 0)
    for (number, work) in units.enumerated() {
      let unit = try writer.begin(work)
      let remaining = unit.remainingImages
      let found = (work.images.count - remaining.count) * work.requests.count
      (done, kept) = (done + found, kept + found)
      let perBatch = max(request.batchSize / work.requests.count, 1)
      for first in stride(from: 0, to: remaining.count, by: perBatch) {
        let batch = Array(remaining[first..<min(first + perBatch, remaining.count)])
        var isStopping = false
        let records = try evaluate(batch, work.requests) { views in
          done += views
          progress.update {
            let rate = Double(done - kept) / (clock.now - start).seconds
            return "\(grouped(done)) of \(grouped(total)) views  "
              + "\(durationText(Double(total - done) / max(rate, 1e-9))) left  "
              + "\(Int(rate)) views/s  unit \(number + 1)/\(units.count)"
          }
          isStopping = shouldStop()
          return isStopping
        }
        for (id, views) in zip(batch, records) {
          try unit.append(image: id, label: labels[id], views: views)
        }
        if isStopping {
          try unit.commit()
          throw Stopped()
        }
      }
      try unit.seal()
    }
    progress.clear()
    return DumpReport(views: total - kept, kept: kept, seconds: (clock.now - start).seconds)
  }

  /// What the teacher says about views of a few images, found a batch at a time.
  ///
  /// - Parameter shouldStop: called after each batch with its number of views; true ends the work.
  /// - Returns: the records of each image whose views were all seen, in the order of `ids`.
  func evaluate(
    _ ids: [Int], _ requests: [ViewRequest], shouldStop: (Int) -> Bool = { _ in false }
  ) throws -> [[ViewRecord]] {
    let taps = Set(requests.flatMap(\.taps))
    var records: [ViewRecord] = []
    for batch in TeacherPass.batches(of: ids.count * requests.count, atMost: request.batchSize) {
      let keys = batch.map {
        ViewKey(image: ids[$0 / requests.count], view: requests[$0 % requests.count].view)
      }
      let output = try pass.run(keys, keeping: taps)
      records += batch.map { output.record($0 - batch.lowerBound, requests[$0 % requests.count]) }
      if shouldStop(batch.count) { break }
    }
    return (0..<records.count / requests.count).map {
      Array(records[$0 * requests.count..<($0 + 1) * requests.count])
    }
  }
}

/// What a dump did.
package struct DumpReport: Sendable {
  /// (image, view) pairs that the teacher was evaluated on.
  package let views: Int
  /// Those that an interrupted dump had seen of the units that this one finished.
  package let kept: Int
  package let seconds: Double
}
