package import Datasets

/// Which round of a view a student sees in each epoch.
package struct RoundSchedule: Sendable {
  private let weakRounds: Int?  // nil: every weak view there is (`weak:all`)
  private let strongRounds: Int
  private let plain: Bool

  /// - Parameters:
  ///   - views: the rounds there are, in the cache or for a live teacher.
  ///   - plain: show the plain view in place of weak and strong ones (`--augment none`).
  package init(views: ViewSet, plain: Bool) {
    weakRounds = views.crops ? nil : views.weak
    strongRounds = views.strong
    self.plain = plain
  }

  /// The rounds whose features are compared: where only plain views have them, these.
  package init(featureViews: ViewSet, plain: Bool) {
    self.init(views: featureViews, plain: plain || featureViews == ViewSet(plain: true))
  }

  /// Weak round e mod N, strong round (e + ⌊e / lcm(N, M)⌋) mod M, e counted from 0: all N·M pairs
  /// come up in N·M epochs.
  package func view(_ kind: TrainingView, epoch e: Int) -> View {
    if plain { return .plain }
    switch kind {
    case .weak:
      guard let weakRounds else { return .weak(e) }
      return .weak(weakRounds > 0 ? e % weakRounds : e)
    case .strong:
      guard strongRounds > 0 else { return .strong(e) }
      // Weak views never come round again under `weak:all`, so no pairing has to be shifted.
      let n = weakRounds ?? 0
      let shift = n > 0 ? e / leastCommonMultiple(n, strongRounds) : 0
      return .strong((e + shift) % strongRounds)
    }
  }
}

func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
  var (x, y) = (a, b)
  while y != 0 { (x, y) = (y, x % y) }
  return a / x * b
}
