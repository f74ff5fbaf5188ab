internal import Datasets

/// What a request still lacks, cut into units.
struct UnitPlan {
  private let identity: CacheIdentity
  private let units: [UnitEntry]
  private let views: [View]
  private let taps: [TapShape]
  private let featureViews: Set<View>
  private let logitViews: Set<View>

  static let largestWindow = 4096
  static let smallestWindow = 16
  static let windowBytes = 1 << 30

  init(
    identity: CacheIdentity, units: [UnitEntry], views: [View], taps: [TapShape],
    featureViews: [View]
  ) {
    self.identity = identity
    self.units = units
    logitViews = Set(views)
    self.featureViews = taps.isEmpty ? [] : Set(featureViews)
    self.views = logitViews.union(self.featureViews).sorted()
    self.taps = taps
  }

  /// Images per unit: depends on what is asked, not on what is there.
  private var window: Int {
    let features = featureViews.count * taps.reduce(0) { $0 + $1.count * 4 }
    let image = logitViews.count * identity.classes * 4 + features
    var window = Self.largestWindow
    while window > Self.smallestWindow && window * image > Self.windowBytes { window /= 2 }
    return window
  }

  func missing(_ images: [Int]) -> [WorkUnit] {
    var requestsOfHolders: [[Int]: [ViewRequest]] = [:]
    var groups: [Group: [Int]] = [:]
    let window = window
    for image in Set(images).sorted() {
      let holders = units.indices.filter { units[$0].images.contains(image) }
      let requests = requestsOfHolders[holders] ?? lacking(in: holders)
      requestsOfHolders[holders] = requests
      if !requests.isEmpty {
        groups[Group(window: image / window, requests: requests), default: []].append(image)
      }
    }
    return groups.map { group, images in
      let named = Set(group.requests.flatMap(\.taps))
      return WorkUnit(
        images: images, requests: group.requests, taps: taps.filter { named.contains($0.tap) })
    }.sorted { ($0.images.first ?? 0) < ($1.images.first ?? 0) }
  }

  private struct Group: Hashable {
    let window: Int
    let requests: [ViewRequest]
  }

  /// What an image that is in the units `holders` lacks.
  private func lacking(in holders: [Int]) -> [ViewRequest] {
    views.compactMap { view in
      let needsLogits =
        logitViews.contains(view) && !holders.contains { units[$0].logits.contains(view) }
      let needed =
        featureViews.contains(view)
        ? taps.map(\.tap).filter { tap in !holders.contains { units[$0].hasFeatures(tap, view) } }
        : []
      if !needsLogits && needed.isEmpty { return nil }
      return ViewRequest(view: view, needsLogits: needsLogits, taps: needed)
    }
  }
}

extension UnitPlan {
  /// What `entry` holds and `units` do not: images grouped by what they lack.
  static func lacking(_ entry: UnitEntry, views: [View], in units: [UnitEntry]) -> [WorkUnit] {
    let near = units.filter { $0.images.intersects(entry.images) }
    var groups: [[ViewRequest]: [Int]] = [:]
    for image in entry.images.numbers {
      let holders = near.filter { $0.images.contains(image) }
      let requests: [ViewRequest] = views.compactMap { view in
        let needsLogits =
          entry.logits.contains(view) && !holders.contains { $0.logits.contains(view) }
        let taps = entry.features.map(\.shape.tap).filter { tap in
          entry.hasFeatures(tap, view) && !holders.contains { $0.hasFeatures(tap, view) }
        }
        if !needsLogits && taps.isEmpty { return nil }
        return ViewRequest(view: view, needsLogits: needsLogits, taps: taps)
      }
      if !requests.isEmpty { groups[requests, default: []].append(image) }
    }
    return groups.map { requests, images in
      let named = Set(requests.flatMap(\.taps))
      return WorkUnit(
        images: images, requests: requests,
        taps: entry.features.map(\.shape).filter { named.contains($0.tap) })
    }.sorted { ($0.images.first ?? 0) < ($1.images.first ?? 0) }
  }
}

extension UnitEntry {
  func hasFeatures(_ tap: String, _ view: View) -> Bool {
    features.first { $0.shape.tap == tap }?.views.contains(view) ?? false
  }
}
