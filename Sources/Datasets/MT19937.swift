/// NumPy's legacy generator: the Mersenne Twister seeded from one integer, as `np.random.seed`.
///
/// Matsumoto and Nishimura 1998. Here only because the published long-tailed subsets were drawn
/// with it; everything else uses Philox.
package struct MT19937 {
  private var state: [UInt32]
  private var position = 624

  /// The generator after `np.random.seed(seed)`.
  package init(seed: UInt32) {
    state = [seed]
    state.reserveCapacity(624)
    for i in 1..<624 {
      let last = state[i - 1]
      state.append(1_812_433_253 &* (last ^ (last >> 30)) &+ UInt32(i))
    }
  }

  /// The next 32 random bits.
  package mutating func next() -> UInt32 {
    if position == 624 { twist() }
    var word = state[position]
    position += 1
    word ^= word >> 11
    word ^= (word << 7) & 0x9D2C_5680
    word ^= (word << 15) & 0xEFC6_0000
    return word ^ (word >> 18)
  }

  private mutating func twist() {
    for i in 0..<624 {
      let word = (state[i] & 0x8000_0000) | (state[(i + 1) % 624] & 0x7FFF_FFFF)
      state[i] = state[(i + 397) % 624] ^ (word >> 1) ^ (word & 1 == 1 ? 0x9908_B0DF : 0)
    }
    position = 0
  }

  /// A uniform integer 0…maximum: the low bits of a word, drawn again while they are above.
  private mutating func upTo(_ maximum: Int) -> Int {
    let mask = UInt32.max >> UInt32(maximum).leadingZeroBitCount
    while true {
      let value = Int(next() & mask)
      if value <= maximum { return value }
    }
  }

  /// Brings the values into the order that `np.random.shuffle` gives a list.
  package mutating func shuffle(_ values: inout [Int]) {
    for i in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(i, upTo(i)) }
  }
}
