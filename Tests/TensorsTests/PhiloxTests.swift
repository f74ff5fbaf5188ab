import Tensors
import Testing

@Suite("Philox and the streams drawn from it")
struct PhiloxTests {
  /// Random123 1.14, tests/kat_vectors, the three lines "philox4x32 10".
  struct KnownAnswer: Sendable, CustomTestStringConvertible {
    let counter: [UInt32]
    let key: UInt64
    let words: [UInt32]
    var testDescription: String { "counter \(counter), key \(key)" }
  }

  static let knownAnswers = [
    KnownAnswer(
      counter: [0, 0, 0, 0], key: 0,
      words: [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
    KnownAnswer(
      counter: [.max, .max, .max, .max], key: .max,
      words: [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
    KnownAnswer(
      counter: [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], key: 0x299f_31d0_a409_3822,
      words: [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
  ]

  @Test("a block equals the authors' known answers", arguments: knownAnswers)
  func blockEqualsKnownAnswer(_ answer: KnownAnswer) {
    let c = answer.counter
    let block = Philox(key: answer.key).block((c[0], c[1], c[2], c[3]))
    #expect([block.0, block.1, block.2, block.3] == answer.words)
  }

  @Test("a stream is its blocks in order, block number in the first counter word")
  func streamIsItsBlocksInOrder() {
    var stream = RandomStream(key: 7, stream: (11, 12, 13))
    for block in 0..<UInt32(3) {
      let words = Philox(key: 7).block((block, 11, 12, 13))
      for word in [words.0, words.1, words.2, words.3] { #expect(stream.next() == word) }
    }
  }

  @Test("a uniform number is made of two words as documented")
  func uniformIsMadeOfTwoWords() {
    let words = Philox(key: 0).block((0, 0, 0, 0))
    var stream = RandomStream(key: 0, stream: (0, 0, 0))
    let expected =
      (Double(words.0 >> 5) * 67_108_864 + Double(words.1 >> 6)) / 9_007_199_254_740_992
    #expect(stream.uniform() == expected)
  }

  @Test("uniform numbers have the mean and variance of [0, 1)")
  func uniformMoments() {
    var stream = RandomStream(key: 3, stream: (1, 2, 3))
    let n = 100_000
    let draws = (0..<n).map { _ in stream.uniform() }
    let mean = draws.reduce(0, +) / Double(n)
    let variance = draws.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(n)
    #expect(draws.allSatisfy { $0 >= 0 && $0 < 1 })
    #expect(abs(mean - 0.5) < 4 / (12 * Double(n)).squareRoot())
    #expect(abs(variance - 1.0 / 12) < 0.001)
  }

  @Test("normal numbers have mean 0, variance 1 and fourth moment 3")
  func normalMoments() {
    var stream = RandomStream(key: 5, stream: (0, 0, 1))
    let n = 200_000
    let draws = (0..<n).map { _ in stream.normal() }
    func moment(_ power: Int) -> Double {
      draws.map { x in (0..<power).reduce(1.0) { product, _ in product * x } }.reduce(0, +)
        / Double(n)
    }
    #expect(draws.allSatisfy { $0.isFinite })
    #expect(abs(moment(1)) < 0.01)
    #expect(abs(moment(2) - 1) < 0.02)
    #expect(abs(moment(4) - 3) < 0.15)
  }

  @Test("integers below n are uniform", arguments: [1, 2, 3, 14, 25, 162])
  func integersBelowAreUniform(_ n: Int) {
    var stream = RandomStream(key: 9, stream: (0, UInt32(n), 0))
    let draws = 2000 * n
    var counts = [Int](repeating: 0, count: n)
    for _ in 0..<draws { counts[stream.below(n)] += 1 }
    let chiSquare = counts.map { Double(($0 - 2000) * ($0 - 2000)) / 2000 }.reduce(0, +)
    // Mean n − 1, standard deviation √(2(n − 1)): five deviations.
    #expect(chiSquare <= Double(n - 1) + 5 * Double(2 * n).squareRoot())
  }

  @Test("integers below a bound that does not divide 2^32 redraw instead of leaning")
  func largeBoundsRedraw() {
    // 2³² words onto 3·2³⁰ values: without the redraw every third value gets two words, not one.
    var stream = RandomStream(key: 1, stream: (0, 0, 0))
    let bound = 3 << 30
    let draws = (0..<30_000).map { _ in stream.below(bound) }
    for residue in 0..<3 {
      #expect(abs(draws.filter { $0 % 3 == residue }.count - 10_000) < 500)
    }
    #expect(RandomStream.whole(below: 1 << 32, key: 1) == RandomStream.word(key: 1))
  }

  @Test("a shuffle is a permutation, the same for the same stream, another for another")
  func shuffleIsAPermutation() {
    func shuffled(_ key: UInt64) -> [Int] {
      var stream = RandomStream(key: key, stream: (0, 0, 0))
      var values = Array(0..<1000)
      stream.shuffle(&values)
      return values
    }
    #expect(shuffled(1).sorted() == Array(0..<1000))
    #expect(shuffled(1) == shuffled(1))
    #expect(shuffled(1) != shuffled(2))
    #expect(shuffled(1) != Array(0..<1000))
  }

  @Test("every order of three values comes up equally often")
  func shuffleIsUniform() {
    var stream = RandomStream(key: 4, stream: (0, 0, 0))
    var counts: [[Int]: Int] = [:]
    for _ in 0..<12_000 {
      var values = [0, 1, 2]
      stream.shuffle(&values)
      counts[values, default: 0] += 1
    }
    #expect(counts.count == 6)
    #expect(counts.values.allSatisfy { abs($0 - 2000) < 200 })
  }

  @Test("an empty and a single value stay as they are and draw nothing", arguments: [[], [42]])
  func shortShuffles(_ values: [Int]) {
    var stream = RandomStream(key: 4, stream: (0, 0, 0))
    var shuffled = values
    stream.shuffle(&shuffled)
    #expect(shuffled == values)
    #expect(stream.next() == RandomStream.word(key: 4))
  }

  @Test("an integer below zero stops the program")
  func boundOfZeroStops() async {
    await #expect(processExitsWith: .failure) {
      var stream = RandomStream(key: 4, stream: (0, 0, 0))
      _ = stream.below(0)
    }
  }
}

extension RandomStream {
  fileprivate static func word(key: UInt64) -> Int {
    var stream = RandomStream(key: key, stream: (0, 0, 0))
    return Int(stream.next())
  }

  fileprivate static func whole(below n: Int, key: UInt64) -> Int {
    var stream = RandomStream(key: key, stream: (0, 0, 0))
    return stream.below(n)
  }
}
