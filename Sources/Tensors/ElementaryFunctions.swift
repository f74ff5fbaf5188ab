// Functions whose bits are the same on every machine: only +, −, ×, ÷ of IEEE doubles in a written
// order, never fused. The C library's own differ with its version and with the processor.

/// eˣ, within 2 units in the last place; 0 below −745.2, ∞ above 709.8, NaN for NaN.
///
/// eˣ = 2ⁿ·eʳ with r = x − n·ln 2 (Cody and Waite's two-part ln 2), eʳ by its Taylor polynomial.
package func exponential(_ x: Double) -> Double {
  if x.isNaN { return x }
  if x > 709.79 { return .infinity }
  if x < -745.14 { return 0 }
  let n = (x * 1.4426950408889634).rounded(.toNearestOrEven)
  // The first part has trailing zeros enough that n times it is exact.
  let r = (x - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33
  // The error of the last term kept: (ln 2 / 2)¹⁴ / 14! < 5e-18.
  var sum = 0.0
  for k in stride(from: inverseFactorials.count - 1, through: 2, by: -1) {
    sum = sum * r + inverseFactorials[k]
  }
  let value = 1 + (r + r * r * sum)
  // In two steps, as 2ⁿ alone may be too large or too small to be a Double.
  let exponent = Int(n)
  let half = exponent / 2
  return value * powerOfTwo(half) * powerOfTwo(exponent - half)
}

/// 1/k! for k = 0…13.
private let inverseFactorials: [Double] = (0...13).map { k in
  1 / (1...max(1, k)).reduce(1.0) { $0 * Double($1) }
}

private func powerOfTwo(_ exponent: Int) -> Double {
  Double(sign: .plus, exponent: exponent, significand: 1)
}

/// The natural logarithm, within 2 units in the last place; −∞ for 0, NaN below.
///
/// ln(2ᵉ·m) = e·ln 2 + 2·artanh f with f = (m − 1)/(m + 1), √½ ≤ m < √2, artanh by its series.
package func logarithm(_ x: Double) -> Double {
  if x.isNaN || x == .infinity { return x }
  if x <= 0 { return x == 0 ? -.infinity : .nan }
  var (exponent, m) = (Double(x.exponent), x.significand)
  if m > 1.4142135623730951 {
    m /= 2
    exponent += 1
  }
  let f = (m - 1) / (m + 1)
  let square = f * f
  // |f| ≤ 0.1716: the first term left out, f²⁴/25, is below 1e-19.
  var sum = 0.0
  for k in stride(from: 23, through: 3, by: -2) { sum = sum * square + 1 / Double(k) }
  let low = 2 * f * square * sum + exponent * 0x1.a39ef35793c76p-33
  return exponent * 0x1.62e42fee00000p-1 + (2 * f + low)
}

/// cos(2π·turns) for turns from 0 to 1, within 2e-16.
package func cosine(turns: Double) -> Double {
  let quarter = (turns * 4).rounded(.toNearestOrEven)
  // Exact: at most an eighth of a turn either way.
  let r = (turns - quarter / 4) * (2 * Double.pi)
  switch Int(quarter) % 4 {
  case 0: return alternatingSeries(r, from: 0)
  case 1: return -alternatingSeries(r, from: 1)
  case 2: return -alternatingSeries(r, from: 0)
  default: return alternatingSeries(r, from: 1)
  }
}

/// cos r (from 0) or sin r (from 1) by Taylor's series for |r| ≤ π/4; the first term left out is
/// below 1e-19.
private func alternatingSeries(_ r: Double, from first: Int) -> Double {
  var term = first == 0 ? 1.0 : r
  var terms = [term]
  for k in stride(from: first + 1, through: first + 17, by: 2) {
    term = -term * r * r / Double(k * (k + 1))
    terms.append(term)
  }
  // The smallest first, so that they are not lost.
  return terms.reversed().reduce(0, +)
}

/// baseⁿ for n ≥ 0 by repeated squaring.
package func power(_ base: Double, _ n: Int) -> Double {
  precondition(n >= 0, "a power needs an exponent from 0 on, got \(n)")
  var (result, square, rest) = (1.0, base, n)
  while rest > 0 {
    if rest & 1 == 1 { result *= square }
    square *= square
    rest >>= 1
  }
  return result
}
