import Datasets
import TeacherCache

extension CacheContents {
  /// The views whose logits (or, with a tap, features) all of these images have: rounds count from
  /// 0 without a gap.
  func views(ofAll images: [Int], tap: String? = nil, in info: DatasetInfo) -> ViewSet {
    var covered: [View: Int] = [:]
    for unit in units {
      let views =
        tap.map { name in unit.features.first { $0.shape.tap == name }?.views.views ?? [] }
        ?? unit.logits.views
      guard !views.isEmpty else { continue }
      let count = images.count { unit.images.contains($0) }
      for view in views { covered[view, default: 0] += count }
    }
    func rounds(_ view: (Int) -> View) -> Int {
      var round = 0
      while covered[view(round)] == images.count { round += 1 }
      return round
    }
    return ViewSet(
      plain: covered[.plain] == images.count, weak: rounds { .weak($0) },
      strong: rounds { .strong($0) }, crops: rounds { .crop($0) } == info.weakViews)
  }

  /// The taps of which any features are stored, by name.
  var taps: [TapShape] {
    let shapes = Set(units.flatMap { $0.features.map(\.shape) })
    return shapes.sorted { $0.tap < $1.tap }
  }
}
