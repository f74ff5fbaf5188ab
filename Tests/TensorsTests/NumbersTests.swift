import Tensors
import TestSupport
import Testing

@Suite struct NumbersTests {
  let execution = Execution(threads: 2)

  @Test func meanSquaredErrorIsTheMeanOverAllElements() {
    // ((1−3)² + (2−2)² + (−1−1)² + (0.5−0)²)/4 = (4 + 0 + 4 + 0.25)/4
    let result = meanSquaredError(
      Tensor([1, 2, -1, 0.5], shape: [2, 2]), Tensor([3, 2, 1, 0], shape: [2, 2]), on: execution)
    #expect(result.loss == 2.0625)
    #expect(result.gradient.values == [-1, 0, -1, 0.25])
  }

  @Test func meanSquaredErrorHasTheSameBitsForAnyThreadCount() {
    var random = SplitMix64(state: 5)
    let s = Tensor(random.floats(100_003), shape: [100_003])
    let t = Tensor(random.floats(100_003), shape: [100_003])
    let results = [1, 2, 3].map { meanSquaredError(s, t, on: Execution(threads: $0)) }
    #expect(Set(results.map(\.loss)).count == 1)
    #expect(sameBits(results[0].gradient.values, results[2].gradient.values))
    let expected = zip(s.values, t.values).reduce(0.0) {
      let d = Double($1.0) - Double($1.1)
      return $0 + d * d
    }
    #expect(abs(results[0].loss - expected / 100_003) < 1e-7)
  }

  @Test func momentsSurviveAMeanThatDwarfsTheDeviation() {
    // Two channels: 10000 + (0, 1, 2, 3)/4 and the same without the 10000.
    let x = (0..<4).flatMap { [10_000 + Float($0) / 4, Float($0) / 4] }
    let (mean, deviation) = channelMoments(Tensor(x, shape: [2, 1, 2, 2]), on: execution)
    #expect(mean == [10_000.375, 0.375])
    #expect(deviation == [0.3125, 0.3125])
  }

  @Test func aMaximumsGradientGoesToTheFirstOfEquals() {
    let pooling = Pooling(.maximum, kernel: 2, strides: 2)
    let x = Tensor([1, 1, 1, 1], shape: [1, 2, 2, 1])
    let gradient = pooling.inputGradient(
      Tensor([5], shape: [1, 1, 1, 1]), shape: x.shape, x: x, on: execution)
    #expect(gradient.values == [5, 0, 0, 0])
  }

  @Test func anAverageCountsZerosOutsideTheImage() {
    let pooling = Pooling(.average, kernel: 3, strides: 2, padding: 1)
    let y = pooling.forward(Tensor([9, 9, 9, 9], shape: [1, 2, 2, 1]), on: execution)
    #expect(y.values == [4])
  }

  @Test func notANumberComesThroughAMaximum() {
    let pooling = Pooling(.maximum, kernel: 2, strides: 2)
    let y = pooling.forward(Tensor([1, .nan, 3, 2], shape: [1, 2, 2, 1]), on: execution)
    #expect(y.values[0].isNaN)
  }

  @Test func notANumberComesThroughARectifier() {
    let y = rectified(Tensor([-1, .nan, 2], shape: [3]), on: execution).values
    #expect(y[0] == 0 && y[1].isNaN && y[2] == 2)
  }
}
