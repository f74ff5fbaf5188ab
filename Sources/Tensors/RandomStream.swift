/// A stream of draws from one Philox counter prefix.
///
/// Block b (from 0) of the stream is Philox at counter (b, stream.0, stream.1, stream.2); its four
/// words are used in order, and every draw below says how many words it takes. So any language can
/// replay a stream from this page alone. Streams of different keys or prefixes are independent.
package struct RandomStream: Sendable {
  private let philox: Philox
  private let prefix: (UInt32, UInt32, UInt32)
  private var words: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  private var drawn: UInt64 = 0

  /// The stream of `key` with this counter prefix, at its beginning.
  package init(key: UInt64, stream: (UInt32, UInt32, UInt32)) {
    philox = Philox(key: key)
    prefix = stream
  }

  /// The next word. A stream has 2³⁴ of them.
  package mutating func next() -> UInt32 {
    let word = drawn & 3
    if word == 0 {
      precondition(drawn >> 34 == 0, "a random stream has 2^34 words, and all of them were drawn")
      words = philox.block((UInt32(drawn >> 2), prefix.0, prefix.1, prefix.2))
    }
    drawn += 1
    switch word {
    case 0: return words.0
    case 1: return words.1
    case 2: return words.2
    default: return words.3
    }
  }

  /// A uniform number in [0, 1) with 53 random bits: ((a >> 5)·2²⁶ + (b >> 6)) / 2⁵³ for the next
  /// two words a, b (NumPy's legacy `random_sample` makes the same number of two words).
  package mutating func uniform() -> Double {
    let high = UInt64(next() >> 5)
    let low = UInt64(next() >> 6)
    return Double(high << 26 | low) * 0x1p-53
  }

  /// A uniform integer in 0..<n, without bias: the high word of word·n, drawn again while the low
  /// word is below 2³² mod n. One word, rarely more. n: 1…2³².
  ///
  /// Lemire: "Fast Random Integer Generation in an Interval", 2019.
  package mutating func below(_ n: Int) -> Int {
    precondition(n >= 1 && n <= 1 << 32, "a random integer below \(n): the bound must be 1…2^32")
    let bound = UInt64(n)
    let threshold = (1 << 32) % bound
    while true {
      let product = UInt64(next()) * bound
      if product & 0xFFFF_FFFF >= threshold { return Int(product >> 32) }
    }
  }

  /// A standard normal number: √(−2 ln(1 − u))·cos(2π v) for the next two uniforms u, v
  /// (Box and Muller 1958; the sine half is not used, so every call takes four words).
  package mutating func normal() -> Double {
    let radius = (-2 * logarithm(1 - uniform())).squareRoot()
    return radius * cosine(turns: uniform())
  }

  /// Brings the values into a uniformly random order: for i = n−1…1, swap i with `below(i + 1)`
  /// (Fisher and Yates).
  package mutating func shuffle(_ values: inout [Int]) {
    for i in stride(from: values.count - 1, to: 0, by: -1) {
      values.swapAt(i, below(i + 1))
    }
  }
}
