internal import Datasets

/// What is wanted of a cache's images and still lacks, cut into units.
struct UnitPlan {
  private let units: [UnitEntry]
  private let holders: UnitsByImage
  /// In view order.
  private let wanted: [ViewRequest]
  /// The taps that the requests name.
  private let taps: [TapShape]
  /// Images per unit.
  private let window: Int

  static let largestWindow = 4096
  static let smallestWindow = 16
  static let windowBytes = 1 << 30

  /// Logits of `views` and features of `taps` × `featureViews`, for each image.
  init(
    identity: CacheIdentity, units: [UnitEntry], views: [View], taps: [TapShape],
    featureViews: [View]
  ) {
    let logitViews = Set(views)
    let featureViews = taps.isEmpty ? [] : Set(featureViews)
    let wanted = logitViews.union(featureViews).sorted().map { view in
      ViewRequest(
        view: view, needsLogits: logitViews.contains(view),
        taps: featureViews.contains(view) ? taps.map(\.tap) : [])
    }
    // Depends on what is asked, not on what is there.
    let features = featureViews.count * taps.reduce(0) { $0 + $1.count * 4 }
    let image = logitViews.count * identity.classes * 4 + features
    var window = Self.largestWindow
    while window > Self.smallestWindow && window * image > Self.windowBytes { window /= 2 }
    self.init(units, wanted, taps, window: window)
  }

  /// What another cache's unit, or one that was lost, holds: it is not cut by windows.
  init(_ entry: UnitEntry, units: [UnitEntry]) {
    let wanted = Set(entry.features.flatMap(\.views.views) + entry.logits.views).sorted().map {
      view in
      ViewRequest(
        view: view, needsLogits: entry.logits.contains(view),
        taps: entry.features.map(\.shape.tap).filter { entry.hasFeatures($0, view) })
    }
    let near = units.filter { $0.images.intersects(entry.images) }
    self.init(near, wanted, entry.features.map(\.shape), window: .max)
  }

  private init(_ units: [UnitEntry], _ wanted: [ViewRequest], _ taps: [TapShape], window: Int) {
    self.units = units
    holders = UnitsByImage(units)
    self.wanted = wanted
    self.taps = taps
    self.window = window
  }

  func missing(_ images: [Int]) -> [WorkUnit] {
    var requestsOfHolders: [[Int]: [ViewRequest]] = [:]
    var groups: [Group: [Int]] = [:]
    for image in Set(images).sorted() {
      let holders = holders[image]
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
    wanted.compactMap { request in
      let view = request.view
      let needsLogits =
        request.needsLogits && !holders.contains { units[$0].logits.contains(view) }
      let taps = request.taps.filter { tap in
        !holders.contains { units[$0].hasFeatures(tap, view) }
      }
      if !needsLogits && taps.isEmpty { return nil }
      return ViewRequest(view: view, needsLogits: needsLogits, taps: taps)
    }
  }
}

extension UnitEntry {
  func hasFeatures(_ tap: String, _ view: View) -> Bool {
    features.first { $0.shape.tap == tap }?.views.contains(view) ?? false
  }
}
