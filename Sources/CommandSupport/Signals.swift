import Foundation
import Synchronization

/// Turns signals into wishes that a program grants at its next safe place.
///
/// The first SIGINT or SIGTERM, SIGUSR2, and the SIGHUP of a terminal that goes away ask to stop;
/// SIGUSR1 asks for a checkpoint. After a SIGINT, SIGTERM or SIGHUP a SIGINT ends the program at once. A
/// second SIGTERM or SIGHUP changes nothing: who sends one to a group, as timeout(1) does, or to all
/// processes of a name reaches a program twice.
package final class StopSignals: Sendable {
  private static let received = Atomic<Int32>(0)
  private static let checkpoint = Atomic<Bool>(false)

  package init() {
    // Only what is allowed in a handler: atomics, and putting the default action back.
    // Under nohup nobody minds a terminal that goes away.
    for number in [SIGINT, SIGTERM] + (Self.isIgnored(SIGHUP) ? [] : [SIGHUP]) {
      signal(number) { number in
        StopSignals.ask(number)
        signal(number, SIG_IGN)
        signal(SIGINT, SIG_DFL)
      }
    }
    signal(SIGUSR1) { _ in StopSignals.checkpoint.store(true, ordering: .relaxed) }
    signal(SIGUSR2) { StopSignals.ask($0) }
  }

  /// Whoever asked first gets the status for it.
  private static func ask(_ number: Int32) {
    _ = received.compareExchange(expected: 0, desired: number, ordering: .relaxed)
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    // SIG_IGN is the address 1.
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  /// The signal that asked to stop, if there was one.
  package var pending: Int32? {
    let number = StopSignals.received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// Whether SIGUSR1 came since this was asked last.
  package func takeCheckpoint() -> Bool {
    StopSignals.checkpoint.exchange(false, ordering: .relaxed)
  }

  /// The status of a program that stops because of the signal: 130, 143 or 129, and 75, try again, after
  /// SIGUSR2, with which batch systems take a machine away.
  package var status: Int32 {
    switch pending {
    case SIGUSR2: Status.tryAgain
    case let number: 128 + (number ?? SIGINT)
    }
  }
}
