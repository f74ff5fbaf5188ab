import Foundation
import Tensors
import TestSupport
import Testing

/// Against the C library's functions, whose error is below one unit in the last place.
@Suite struct ElementaryFunctionTests {
  private func distance(_ a: Double, _ b: Double) -> Double { abs(a - b) / b.ulp }

  @Test func exponentialIsRightToTheLastPlaces() {
    var random = SplitMix64(state: 1)
    var (worst, worstSmall) = (0.0, 0.0)
    for _ in 0..<200_000 {
      let x = Double.random(in: -708...709, using: &random)
      worst = max(worst, distance(exponential(x), exp(x)))
      let small = Double.random(in: -1e-3...1e-3, using: &random)
      worstSmall = max(worstSmall, distance(exponential(small), exp(small)))
    }
    #expect(worst <= 2 && worstSmall <= 1)
    #expect(exponential(0) == 1)
    #expect(distance(exponential(1), M_E) <= 1)
    #expect(exponential(-745) == exp(-745) && exponential(-745) > 0)
    #expect(exponential(709.7) == exp(709.7) || distance(exponential(709.7), exp(709.7)) <= 2)
    #expect(exponential(-746) == 0 && exponential(-.infinity) == 0)
    #expect(exponential(710) == .infinity && exponential(.infinity) == .infinity)
    #expect(exponential(.nan).isNaN)
  }

  @Test func logarithmIsRightToTheLastPlaces() {
    var random = SplitMix64(state: 2)
    var (worst, worstNear) = (0.0, 0.0)
    for _ in 0..<200_000 {
      let x = exp(Double.random(in: -740...709, using: &random))
      worst = max(worst, distance(logarithm(x), log(x)))
      let near = Double.random(in: 0.5...2, using: &random)
      worstNear = max(worstNear, distance(logarithm(near), log(near)))
    }
    #expect(worst <= 2 && worstNear <= 2)
    #expect(logarithm(1) == 0)
    #expect(logarithm(0) == -.infinity && logarithm(.infinity) == .infinity)
    #expect(logarithm(-1).isNaN && logarithm(.nan).isNaN)
    #expect(distance(logarithm(.leastNonzeroMagnitude), log(.leastNonzeroMagnitude)) <= 1)
  }

  /// The C library is given 2π·turns, which is already rounded by up to 7e-16.
  @Test func cosineIsRightAllAroundTheCircle() {
    var worst = 0.0
    for k in 0...100_000 {
      let turns = Double(k) / 100_000
      worst = max(worst, abs(cosine(turns: turns) - cos(2 * .pi * turns)))
    }
    #expect(worst < 1e-15)
    #expect(cosine(turns: 0) == 1 && cosine(turns: 0.25) == 0)
    #expect(cosine(turns: 0.5) == -1 && cosine(turns: 0.75) == 0)
  }
}
