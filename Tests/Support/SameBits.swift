/// Whether two lists of numbers have the same bits. A function, because `#expect(a == b)` of two
/// long arrays that differ spends minutes on listing how.
package func sameBits(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Bool {
  a.map(\.bitPattern) == b.map(\.bitPattern)
}
