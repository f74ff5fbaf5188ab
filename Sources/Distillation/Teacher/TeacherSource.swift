package import Datasets
package import TeacherCache
package import Tensors

/// What a teacher said about a batch of views, whoever says it: a network that runs now or a cache
/// of one that ran before. Both give the same numbers when the cache holds them in fp32.
package protocol TeacherSource: AnyObject {
  var classes: Int { get }
  /// The taps whose features this teacher can give, in the network's order.
  var taps: [TapShape] { get }
  /// What it says about each view: batch × classes.
  ///
  /// - Throws: ``NonFiniteTeacher`` from a network; from a cache `CacheError`, or ``ReplayMismatch``
  ///   where the pixels are not those that the teacher saw.
  func logits(_ batch: ViewBatch) throws -> TeacherLogits
  /// Feature maps of each view at each of some taps: N×H×W×C.
  ///
  /// - Throws: as ``logits(_:)``.
  func features(_ batch: ViewBatch, taps: Set<String>) throws -> [String: Tensor]
  /// Compares views with those that the teacher saw, where its opinion of them is not asked.
  ///
  /// - Throws: as ``logits(_:)``.
  func prove(_ batch: ViewBatch) throws
  /// Says which views will be asked for next, logits or the features of a tap, so that they can be
  /// fetched meanwhile.
  func prefetch(_ keys: [ViewKey], tap: String?)
  /// Seconds spent waiting for stored outputs so far; nil where nothing is stored.
  var secondsWaited: Double? { get }
}

extension TeacherSource {
  /// Nothing: a live teacher sees the views when it is asked.
  package func prove(_ batch: ViewBatch) throws {}

  /// Nothing: a live teacher has nothing to fetch.
  package func prefetch(_ keys: [ViewKey], tap: String?) {}
}
