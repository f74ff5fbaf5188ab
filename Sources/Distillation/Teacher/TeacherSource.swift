package import Tensors

/// Name and size of a stored feature map.
package struct TapSize: Equatable, Sendable {
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
}

/// What a teacher said about a batch of views, whoever says it: a network that runs now or a cache
/// of one that ran before. Both give the same numbers when the cache holds them in fp32.
package protocol TeacherSource: AnyObject {
  var classes: Int { get }
  /// The taps whose features this teacher can give, in the network's order.
  var taps: [TapSize] { get }
  func logits(_ batch: ViewBatch) throws -> TeacherLogits
  /// Feature maps of each view at one tap: N×H×W×C.
  func features(_ batch: ViewBatch, tap: String) throws -> Tensor
  /// Seconds spent waiting for stored outputs so far; nil where nothing is stored.
  var secondsWaited: Double? { get }
}
