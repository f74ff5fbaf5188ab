import Foundation
import Synchronization

/// Turns the first SIGINT or SIGTERM into a wish to stop at the next safe place; a second one ends
/// the program at once.
package final class StopSignals: Sendable {
  private static let received = Atomic<Int32>(0)

  package init() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        // Only what is allowed in a handler: an atomic, and putting the default action back.
        StopSignals.received.store(number, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }

  /// The signal that asked to stop, if there was one.
  package var pending: Int32? {
    let number = StopSignals.received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// The status of a program that stops because of the signal: 130 or 143.
  package var status: Int32 { 128 + (pending ?? SIGINT) }
}
