/// Philox4x32-10: a pure function from a key and a counter to four random words.
///
/// Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011. The same
/// key and counter give the same words in every process and on every machine, for ever; two
/// different counters are as independent as two draws. Checked against the authors' known-answer
/// vectors (Random123, `kat_vectors`).
package struct Philox: Sendable {
  private let key: (UInt32, UInt32)

  /// A generator for one key; its low 32 bits are the first key word, the high ones the second.
  package init(key: UInt64) {
    self.key = (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32))
  }

  /// The four random words that belong to one counter (ten rounds).
  package func block(
    _ counter: (UInt32, UInt32, UInt32, UInt32)
  ) -> (UInt32, UInt32, UInt32, UInt32) {
    var (c0, c1, c2, c3) = counter
    var (k0, k1) = key
    for _ in 0..<10 {
      let first = UInt64(0xD251_1F53) * UInt64(c0)
      let second = UInt64(0xCD9E_8D57) * UInt64(c2)
      c0 = UInt32(truncatingIfNeeded: second >> 32) ^ c1 ^ k0
      c1 = UInt32(truncatingIfNeeded: second)
      c2 = UInt32(truncatingIfNeeded: first >> 32) ^ c3 ^ k1
      c3 = UInt32(truncatingIfNeeded: first)
      // Weyl sequence: the golden ratio and √3 − 1.
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return (c0, c1, c2, c3)
  }
}
