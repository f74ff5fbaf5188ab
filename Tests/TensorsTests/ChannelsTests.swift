import Tensors
import TestSupport
import Testing

/// Moves of channels against their definitions, for runs shorter and longer than a vector.
@Suite struct ChannelsTests {
  private let execution = Execution(threads: 2)

  private func image(_ channels: Int, seed: UInt64) -> Tensor {
    var random = SplitMix64(state: seed)
    return Tensor(random.floats(2 * 3 * 5 * channels), shape: [2, 3, 5, channels])
  }

  /// The image whose channel c at pixel p is `value(p, c)`.
  private func expect(
    _ found: Tensor, _ channels: Int, _ value: (Int, Int) -> Float,
    _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(found.shape == [2, 3, 5, channels], sourceLocation: location)
    let expected = (0..<30).flatMap { p in (0..<channels).map { value(p, $0) } }
    let equal = found.values == expected
    #expect(equal, sourceLocation: location)
  }

  @Test(arguments: [2, 10, 32, 34, 58])
  func interleavedChannelsAlternate(_ n: Int) {
    let (a, b) = (image(n, seed: 1), image(n, seed: 2))
    func alternating(_ p: Int, _ c: Int) -> Float {
      (c % 2 == 0 ? a : b).pointer[p * n + c / 2]
    }
    let joined = interleaved(a, b, on: execution)
    expect(joined, 2 * n, alternating)
    let halves = interleavedHalves(a, b, on: execution)
    expect(halves.low, n, alternating)
    expect(halves.high, n) { p, c in alternating(p, c + n) }
    for (first, second) in [
      deinterleaved(joined, on: execution),
      deinterleaved(low: halves.low, high: halves.high, on: execution),
    ] {
      expect(first, n) { p, c in a.pointer[p * n + c] }
      expect(second, n) { p, c in b.pointer[p * n + c] }
    }
  }

  @Test(arguments: [(2, 3), (3, 2), (3, 20), (20, 3), (4, 15)])
  func shuffledChannelsMixTheirGroups(_ groups: Int, _ each: Int) {
    let x = image(groups * each, seed: 3)
    expect(shuffled(x, groups: groups, on: execution), groups * each) { p, c in
      x.pointer[p * groups * each + c % groups * each + c / groups]
    }
  }

  @Test(arguments: [(6, 40), (40, 6), (16, 24)])
  func concatenatedChannelsFollowEachOther(_ m: Int, _ n: Int) {
    let (a, b) = (image(m, seed: 4), image(n, seed: 5))
    func value(_ p: Int, _ c: Int) -> Float {
      c < m ? a.pointer[p * m + c] : b.pointer[p * n + c - m]
    }
    expect(concatenated(a, b, rectify: false, on: execution), m + n, value)
    let y = concatenated(a, b, rectify: true, on: execution)
    expect(y, m + n) { p, c in max(0, value(p, c)) }

    let gradient = image(m + n, seed: 6)
    let (first, second) = separated(gradient, first: m, output: nil, on: execution)
    expect(first, m) { p, c in gradient.pointer[p * (m + n) + c] }
    expect(second, n) { p, c in gradient.pointer[p * (m + n) + m + c] }
    let (left, right) = separated(gradient, first: m, output: y, on: execution)
    expect(left, m) { p, c in value(p, c) > 0 ? gradient.pointer[p * (m + n) + c] : 0 }
    expect(right, n) { p, c in value(p, m + c) > 0 ? gradient.pointer[p * (m + n) + m + c] : 0 }
  }

  @Test func refusesImagesThatDoNotFitTogether() async {
    await #expect(processExitsWith: .failure) {
      let memory = TensorMemory()
      _ = interleaved(
        Tensor([1, 1, 1, 3], in: memory), Tensor([1, 1, 1, 3], in: memory),
        on: Execution(threads: 1))
    }
    await #expect(processExitsWith: .failure) {
      _ = shuffled(Tensor([1, 1, 1, 8], in: TensorMemory()), groups: 3, on: Execution(threads: 1))
    }
  }
}
