import Foundation
import Testing

@testable import Tensors

@Suite struct PhaseClockTests {
  @Test func everyInstantIsCountedOnceThoughPhasesInterruptEachOther() {
    let clock = PhaseClock()
    let execution = Execution(threads: 1, clock: clock)
    func pause(_ milliseconds: UInt32) { usleep(milliseconds * 1000) }
    let start = ContinuousClock.now
    clock.reset()
    let outer = execution.enter(.batchNorm)
    pause(20)
    let inner = execution.enter(.convolution, multiplyAdds: 5)
    pause(30)
    execution.leave(inner)
    pause(20)
    execution.leave(outer)
    pause(10)
    let sums = clock.read()
    let passed = (ContinuousClock.now - start) / .milliseconds(1)
    // A pause never ends early; how late it ends, the stopwatch says.
    let least: [Phase: Double] = [.batchNorm: 0.04, .convolution: 0.03, .other: 0.01]
    for phase in Phase.allCases {
      let seconds = sums[phase]?.seconds ?? -1
      #expect(seconds >= least[phase] ?? 0, "\(phase)")
      #expect(least[phase] != nil || seconds == 0, "\(phase)")
    }
    let total = sums.values.reduce(0) { $0 + $1.seconds } * 1000
    #expect(total <= passed)
    #expect(sums[.convolution]?.multiplyAdds == 5 && sums[.batchNorm]?.multiplyAdds == 0)
  }

  @Test func workBesideTheStepIsNotCounted() {
    let clock = PhaseClock()
    let execution = Execution(threads: 1, clock: clock)
    clock.reset()
    let thread = Thread {
      let outer = execution.enter(.views, multiplyAdds: 7)
      usleep(5000)
      execution.leave(outer)
    }
    thread.start()
    while !thread.isFinished { usleep(1000) }
    let sums = clock.read()
    #expect(sums[.views]?.seconds == 0 && sums[.views]?.multiplyAdds == 0)
  }

  @Test func nothingIsCountedWithoutAClock() {
    let execution = Execution(threads: 1)
    var asked = false
    func work() -> Int {
      asked = true
      return 1
    }
    #expect(execution.enter(.loss, multiplyAdds: work()) == nil)
    #expect(!asked)
  }

  /// Nominal counts take every tap of every output. Of 3×3 taps at stride 1, (3H − 2)²/(3H)² lie in
  /// an H×H image: 0.959 at 32, 0.918 at 16, 0.840 at 8.
  @Test(arguments: [(32, 94 * 94), (16, 46 * 46), (8, 22 * 22)])
  func multiplyAddsLeaveOutThePadding(side: Int, pairs: Int) {
    let shape = ConvolutionShape(inputs: 16, outputs: 32, kernel: 3, padding: 1)
    #expect(shape.multiplyAdds([5, side, side, 16]) == 5 * pairs * 16 * 32)
  }

  @Test func multiplyAddsOfStridesGroupsAndPoints() {
    // Rows read: outputs 0…3 at stride 2 on 7 pixels reach taps −1…1, 1…3, 3…5, 5…7: 2+3+3+2.
    let strided = ConvolutionShape(inputs: 4, outputs: 8, kernel: 3, strides: 2, padding: 1)
    #expect(strided.multiplyAdds([2, 7, 7, 4]) == 2 * 10 * 10 * 4 * 8)
    let pointwise = ConvolutionShape(inputs: 12, outputs: 6, kernel: 1, groups: 3)
    #expect(pointwise.multiplyAdds([2, 5, 4, 12]) == 2 * 20 * 4 * 6)
    let depthwise = ConvolutionShape(
      inputs: 10, outputs: 10, kernel: 3, padding: 1, groups: 10)
    #expect(depthwise.multiplyAdds([1, 8, 8, 10]) == 22 * 22 * 10)
  }
}
