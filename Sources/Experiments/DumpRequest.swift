package import Datasets
package import TeacherCache

/// How outputs are stored.
package struct StorageForm: Sendable, Equatable {
  package var logits = LogitCodec.q8
  package var taps: [String] = []
  package var featureViews = ViewSet(weak: 1)
  package var featurePrecision = FeaturePrecision.fp16
  /// Whether the cache may be written where LMDB's locks and maps cannot be relied on.
  package var allowNetworkFileSystem = false

  package init() {}
}

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
  package var form = StorageForm()
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

  /// The views whose logits are stored, in stable order.
  var logitViews: [View] { views.views(in: dataset.info) }

  /// The views whose features are stored.
  var featureViews: [View] { form.featureViews.views(in: dataset.info) }

  /// One round of what is stored, for a hint: features take most of a cache.
  private var smallestPart: ViewSet {
    if views.weak > 0 { return ViewSet(weak: 1) }
    if views.plain { return ViewSet(plain: true) }
    return views.crops ? ViewSet(crops: true) : ViewSet(strong: 1)
  }

  /// - Throws: ``SettingError`` where features are wanted of views that are not.
  func check() throws {
    guard !form.taps.isEmpty else { return }
    if let view = featureViews.first(where: { !views.contains($0) }) {
      throw SettingError(
        .usage,
        "--feature-views \(form.featureViews) asks for \(view), which is not among --views \(views); "
          + "name views of that list, such as --feature-views \(smallestPart)"
          // The features of every crop would take hundreds of times those of a round.
          + (views.crops && view.kind == .weak
            ? ", or store a round beside the crops: --views \(form.featureViews),\(views)" : ""))
    }
  }
}
