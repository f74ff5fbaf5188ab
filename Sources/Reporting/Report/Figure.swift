import Foundation

/// Numbers as a page shows them.
enum Figure {
  /// "72.60"; a dash where there is none.
  static func percent(_ value: Double?) -> String {
    value.map { fixed($0, 2) } ?? "–"
  }

  static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "–" }
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let rounded = (abs(value) * scale).rounded()
    let whole = Int(rounded / scale)
    let sign = value < 0 && rounded > 0 ? "−" : ""
    guard digits > 0 else { return sign + String(whole) }
    let rest = String(Int(rounded - Double(whole) * scale))
    return sign + "\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
  }

  /// About three significant digits.
  static func short(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 { return "0" }
    if !size.isFinite { return "–" }
    if size >= 1000 { return size < 1e12 ? grouped(Int(value.rounded())) : "\(value)" }
    if size < 1e-3 {
      let power = Int(log10(size).rounded(.down))
      return "\(trimmed(fixed(value / pow(10, Double(power)), 2)))e\(power)"
    }
    let digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4
    return trimmed(fixed(value, digits))
  }

  /// One of several multiples of `step`, with the digits that `step` has.
  ///
  /// - Parameter size: what none of them exceeds; below a thousandth each is written with a power of
  ///   ten.
  static func multiple(_ value: Double, of step: Double, atMost size: Double) -> String {
    if value == 0 { return "0" }
    let place = power(step)
    if size < 1e-3 {
      let power = power(abs(value))
      return trimmed(fixed(value / pow(10, Double(power)), max(power - place, 0))) + "e\(power)"
    }
    return abs(value) >= 1000 && place >= 0 ? short(value) : fixed(value, max(-place, 0))
  }

  /// The place of the first digit that is not zero, such as −2 of 0.05.
  private static func power(_ value: Double) -> Int { Int(floor(log10(value) + 1e-9)) }

  /// Without zeros at the end of a fraction.
  static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
