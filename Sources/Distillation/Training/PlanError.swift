/// A training program that does not fit teacher, student or run.
package struct PlanError: Error, CustomStringConvertible, Sendable {
  package enum Kind: Sendable {
    /// Taps of teacher and student cannot be paired.
    case mismatch
    /// Settings contradict each other or the run.
    case settings
  }
  package let kind: Kind
  package let description: String
  /// The settings that could be changed.
  package let keys: [String]

  package init(_ kind: Kind, _ description: String, about keys: [String] = []) {
    self.kind = kind
    self.description = description
    self.keys = keys
  }
}
