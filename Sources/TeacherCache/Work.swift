package import Datasets

/// A tap and the shape of what it gives for one view, height × width × channels.
package struct TapShape: Hashable, Codable, Sendable {
  package let tap: String
  package let height: Int
  package let width: Int
  package let channels: Int

  package init(tap: String, height: Int, width: Int, channels: Int) {
    self.tap = tap
    self.height = height
    self.width = width
    self.channels = channels
  }

  package var count: Int { height * width * channels }
}

/// What is wanted of one view of each image of a unit.
package struct ViewRequest: Hashable, Sendable {
  package let view: View
  package let needsLogits: Bool
  /// In the order of the taps asked for.
  package let taps: [String]

  package init(view: View, needsLogits: Bool, taps: [String]) {
    self.view = view
    self.needsLogits = needsLogits
    self.taps = taps
  }
}

/// A piece of work that becomes one unit: the same requests for each image.
package struct WorkUnit: Equatable, Sendable {
  /// Ascending.
  package let images: [Int]
  /// In view order.
  package let requests: [ViewRequest]
  /// The taps that the requests name.
  package let taps: [TapShape]

  package init(images: [Int], requests: [ViewRequest], taps: [TapShape]) {
    self.images = images
    self.requests = requests
    self.taps = taps
  }

  /// Views × images whose logits are wanted.
  package var logitRecords: Int { images.count * requests.count { $0.needsLogits } }

  /// (image, view, tap) features wanted.
  package var featureRecords: Int { images.count * requests.reduce(0) { $0 + $1.taps.count } }
}

/// What the teacher said about one view of an image.
package struct ViewRecord: Sendable {
  package let view: View
  /// XXH3-64 of the H×W×3 bytes that the teacher saw.
  package let pixelHash: UInt64
  /// `classes` values, or nil where only features are wanted.
  package let logits: [Float]?
  /// H×W×C values by tap.
  package let features: [String: [Float]]

  package init(
    view: View, pixelHash: UInt64, logits: [Float]?, features: [String: [Float]] = [:]
  ) {
    self.view = view
    self.pixelHash = pixelHash
    self.logits = logits
    self.features = features
  }
}
