import Foundation

/// "1 h 05 min", "3 min 20 s", "45 s".
package func durationText(_ seconds: Double) -> String {
  guard (0..<1e12).contains(seconds) else { return "?" }
  let s = Int(seconds.rounded())
  if s < 60 { return "\(s) s" }
  if s < 3600 { return "\(s / 60) min \(String(format: "%02d", s % 60)) s" }
  return "\(s / 3600) h \(String(format: "%02d", s % 3600 / 60)) min"
}

/// "1,234,567".
package func grouped(_ number: Int) -> String {
  var digits = Array(String(number.magnitude))
  var i = digits.count - 3
  while i > 0 {
    digits.insert(",", at: i)
    i -= 3
  }
  return (number < 0 ? "-" : "") + String(digits)
}

/// "1 unit", "1,234 units".
package func counted(_ number: Int, _ noun: String) -> String {
  "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")"
}

/// "3.2 GB", in powers of 1000.
package func bytesText(_ bytes: Int) -> String {
  var value = Double(bytes)
  for unit in ["B", "kB", "MB", "GB", "TB"] {
    if value < 1000 || unit == "TB" {
      return unit == "B" ? "\(bytes) B" : String(format: "%.1f", value) + " " + unit
    }
    value /= 1000
  }
  return "\(bytes) B"
}

/// "1,234 of 5,000 views  12 s left  345 views/s".
///
/// - Parameters:
///   - what: plural noun of what is counted.
///   - seconds: what those that are done took.
func progressText(_ done: Int, of total: Int, _ what: String, seconds: Double) -> String {
  // A millisecond at least, so that the rate is a number from the first moment on.
  let rate = Double(done) / max(seconds, 1e-3)
  let left = done > 0 ? Double(total - done) / rate : .infinity
  return "\(grouped(done)) of \(grouped(total)) \(what)  \(durationText(left)) left  "
    + "\(grouped(Int(rate))) \(what)/s"
}

/// The text with control characters but line ends and tabs spelt out: what a file says of itself does
/// not move a terminal's cursor.
package func withoutControls(_ text: String) -> String {
  let isControl = { (scalar: Unicode.Scalar) in
    (scalar.value < 32 && scalar != "\n" && scalar != "\t") || (127..<160).contains(scalar.value)
  }
  guard text.unicodeScalars.contains(where: isControl) else { return text }
  return text.unicodeScalars.reduce(into: "") { result, scalar in
    if isControl(scalar) {
      result += scalar.escaped(asASCII: true)
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
}

/// A text as a POSIX shell takes it for one word.
package func shellWord(_ text: String) -> String {
  let isPlain = text.allSatisfy {
    $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:,=+@%".contains($0))
  }
  return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
}
