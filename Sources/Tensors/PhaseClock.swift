import Foundation

/// What a training step spends its time on.
package enum Phase: Int, CaseIterable, Sendable {
  case convolution
  /// With the addition and the rectifier that are fused to it.
  case batchNorm
  /// Rectifiers, sums, pools and moves of channels that are passes of their own.
  case elementwise
  case linear
  case loss
  case optimizer
  /// Rendering, hashing and normalising views.
  case views
  /// Reading the cache and comparing the replay hashes.
  case cache
  /// Everything that names no phase.
  case other
}

/// Adds up the time and the arithmetic of each phase, every instant once: a phase that begins inside
/// another interrupts it.
///
/// Only the thread that made the clock is timed, the one that drives the steps; what runs beside it
/// costs a step no more than the wait for it. `@unchecked`: the sums are written by that thread only.
package final class PhaseClock: @unchecked Sendable {
  /// What a phase has cost so far.
  package struct Sum: Sendable {
    package internal(set) var seconds = 0.0
    /// True multiply-adds: those that meet no zero padding.
    package internal(set) var multiplyAdds = 0
  }

  private let owner = pthread_self()
  private var sums = [Sum](repeating: Sum(), count: Phase.allCases.count)
  private var current = Phase.other
  private var since = ContinuousClock.now

  /// A clock that runs from now on, in phase `other`.
  package init() {}

  /// The sums so far of every phase.
  package func read() -> [Phase: Sum] {
    settle()
    return Dictionary(
      uniqueKeysWithValues: Phase.allCases.map { ($0, sums[$0.rawValue]) })
  }

  /// Sets all sums to zero.
  package func reset() {
    settle()
    for index in sums.indices { sums[index] = Sum() }
  }

  /// Begins a phase and gives the one that it interrupts; nil on any other thread.
  func enter(_ phase: Phase, multiplyAdds: Int) -> Phase? {
    guard pthread_equal(owner, pthread_self()) != 0 else { return nil }
    let interrupted = current
    settle()
    current = phase
    sums[phase.rawValue].multiplyAdds += multiplyAdds
    return interrupted
  }

  /// Goes on with the phase that the last `enter` interrupted.
  func leave(to interrupted: Phase) {
    settle()
    current = interrupted
  }

  /// Credits the time since the last change to the phase under way.
  private func settle() {
    let now = ContinuousClock.now
    sums[current.rawValue].seconds += (now - since).seconds
    since = now
  }
}

extension Execution {
  /// Begins a phase if somebody measures; what it returns goes to ``leave(_:)``, at the end of the
  /// same function and on the same thread.
  ///
  /// - Parameter multiplyAdds: what the phase computes, without those on zero padding.
  package func enter(_ phase: Phase, multiplyAdds: @autoclosure () -> Int = 0) -> Phase? {
    guard let clock else { return nil }
    return clock.enter(phase, multiplyAdds: multiplyAdds())
  }

  /// Ends a phase.
  package func leave(_ interrupted: Phase?) {
    guard let clock, let interrupted else { return }
    clock.leave(to: interrupted)
  }
}

extension ConvolutionShape {
  /// The multiply-adds of one pass over a batch, N×H×W×inputs, whose taps lie inside the image: the
  /// same number forward, at the input gradient and at the weight gradient.
  package func multiplyAdds(_ x: [Int]) -> Int {
    precondition(x.count == 4, "a convolution takes N×H×W×C, got \(x)")
    return x[0] * reachedTaps(x[1]) * reachedTaps(x[2]) * groupInputs * outputs
  }

  /// Along one axis of this many pixels: how many pairs of an output and a tap meet a pixel.
  private func reachedTaps(_ size: Int) -> Int {
    (0..<outputSize(size)).reduce(0) { sum, output in
      let first = output * strides - padding
      return sum + max(0, min(size, first + kernel) - max(0, first))
    }
  }
}
