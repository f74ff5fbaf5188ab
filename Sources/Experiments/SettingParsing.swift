import Datasets
import Distillation

// How the values of settings are read: every refusal says what was found and what is possible.

func unknown(_ what: String, _ text: String, _ names: [String]) -> SettingError {
  let near = nearestName(to: text, among: names).map { "; did you mean \($0)?" } ?? ""
  return SettingError(
    .usage, "there is no \(what) \"\(text)\"\(near) (there are \(names.joined(separator: ", ")))")
}

/// Reads a value whose own error becomes a refused setting.
func usage(_ read: () throws(DatasetError) -> Void) throws(SettingError) {
  do { try read() } catch { throw SettingError(.usage, error.description) }
}

/// Whether a setting is not there or says that there is nothing: `none`, or a number equal to it.
func isNothing(_ text: String?, _ none: String) -> Bool {
  guard let text, text != none else { return true }
  return Double(text).map { $0 == Double(none) } ?? false
}

/// The shortest text that parses back: 5 and not 5.0.
func plain(_ value: Double) -> String {
  value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
}

func integer(
  _ name: String, _ text: String, _ range: ClosedRange<Int>
) throws(SettingError) -> Int {
  guard let value = Int(text), range.contains(value) else {
    throw SettingError(
      .usage,
      "\(name) is \"\(text)\"; expected a whole number from \(range.lowerBound) to "
        + "\(range.upperBound)")
  }
  return value
}

func integers(_ name: String, _ text: String) throws(SettingError) -> [Int] {
  guard text != "none" else { return [] }
  var values: [Int] = []
  for part in text.split(separator: ",", omittingEmptySubsequences: false) {
    let item = part.trimmingPrefix(while: { $0 == " " })
    values.append(try integer(name, String(item), 1...1_000_000))
  }
  guard zip(values, values.dropFirst()).allSatisfy({ $0 < $1 }) else {
    throw SettingError(.usage, "\(name) is \"\(text)\"; expected rising epochs such as 150,180,210")
  }
  return values
}

/// A finite number in decimal digits; Swift would also take hexadecimal ones, `nan` and `inf`.
func decimalNumber(_ text: String) -> Double? {
  guard text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }) else { return nil }
  return Double(text).flatMap { $0.isFinite ? $0 : nil }
}

func numbers(
  _ name: String, _ text: String, above: Double = -.infinity, to: Double = .infinity
) throws(SettingError) -> [Double] {
  var values: [Double] = []
  for part in text.split(separator: ",", omittingEmptySubsequences: false) {
    let item = String(part.trimmingPrefix(while: { $0 == " " }))
    guard let value = decimalNumber(item), value > above, value <= to else {
      throw SettingError(
        .usage,
        "\(name) is \"\(text)\"; expected numbers above \(plain(above)) and up to "
          + "\(plain(to)), separated by commas")
    }
    values.append(value)
  }
  return values
}

func pairs(
  _ name: String, _ text: String
) throws(SettingError) -> [TapPair] {
  var result: [TapPair] = []
  for item in text.split(separator: ",", omittingEmptySubsequences: false) {
    let names = item.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard names.count == 2, !names[0].isEmpty, !names[1].isEmpty else {
      throw SettingError(
        .usage, "\(name) is \"\(text)\"; expected STUDENT:TEACHER,… such as stage1:stage1")
    }
    result.append(TapPair(student: names[0], teacher: names[1]))
  }
  return result
}

/// A stored setting; the keys of a table are shared between threads.
typealias SettingPath<Value> = any WritableKeyPath<Settings, Value> & Sendable

extension SettingKey {
  static func count(
    _ name: String, _ path: SettingPath<Int>, _ range: ClosedRange<Int>
  ) -> SettingKey {
    SettingKey(name: name) { text, settings throws(SettingError) in
      settings[keyPath: path] = try integer(name, text, range)
    } write: {
      String($0[keyPath: path])
    }
  }

  static func seed(
    _ name: String, _ path: SettingPath<UInt64>
  ) -> SettingKey {
    SettingKey(name: name) { text, settings throws(SettingError) in
      guard let value = UInt64(text) else {
        throw SettingError(
          .usage, "\(name) is \"\(text)\"; expected a whole number from 0 to 2^64 - 1")
      }
      settings[keyPath: path] = value
    } write: {
      String($0[keyPath: path])
    }
  }

  static func number(
    _ name: String, _ path: SettingPath<Double>,
    from: Double? = nil, above: Double? = nil, to: Double? = nil, below: Double? = nil
  ) -> SettingKey {
    SettingKey(name: name) { text, settings throws(SettingError) in
      settings[keyPath: path] = try parse(
        name, text, from: from, above: above, to: to, below: below)
    } write: {
      plain($0[keyPath: path])
    }
  }

  /// A number that may be left out.
  static func optional(
    _ name: String, _ path: SettingPath<Double?>, above: Double, to: Double? = nil
  ) -> SettingKey {
    SettingKey(name: name) { text, settings throws(SettingError) in
      settings[keyPath: path] = try parse(name, text, above: above, to: to)
    } write: {
      $0[keyPath: path].map(plain)
    }
  }

  private static func parse(
    _ name: String, _ text: String,
    from: Double? = nil, above: Double? = nil, to: Double? = nil, below: Double? = nil
  ) throws(SettingError) -> Double {
    guard let value = decimalNumber(text), value >= from ?? value,
      above.map({ value > $0 }) ?? true, value <= to ?? value, below.map({ value < $0 }) ?? true
    else {
      let bounds = [
        from.map { "at least \(plain($0))" }, above.map { "above \(plain($0))" },
        to.map { "at most \(plain($0))" }, below.map { "below \(plain($0))" },
      ].compactMap { $0 }.joined(separator: " and ")
      throw SettingError(.usage, "\(name) is \"\(text)\"; expected a number \(bounds)")
    }
    return value
  }

  static func flag(
    _ name: String, _ path: SettingPath<Bool>
  ) -> SettingKey {
    SettingKey(name: name) { text, settings throws(SettingError) in
      guard let value = Bool(text.lowercased()) else {
        throw SettingError(.usage, "\(name) is \"\(text)\"; expected true or false")
      }
      settings[keyPath: path] = value
    } write: {
      String($0[keyPath: path])
    }
  }

  static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
    _ name: String, _ path: SettingPath<Value>
  ) -> SettingKey {
    SettingKey(name: name) { text, settings throws(SettingError) in
      guard let value = Value(rawValue: text) else {
        throw unknown(name, text, Value.allCases.map(\.rawValue))
      }
      settings[keyPath: path] = value
    } write: {
      $0[keyPath: path].rawValue
    }
  }

  /// Three numbers, one a channel; one number stands for all three.
  static func channels(
    _ name: String, _ path: SettingPath<[Float]?>, positive: Bool
  ) -> SettingKey {
    SettingKey(name: name) { text, settings throws(SettingError) in
      settings[keyPath: path] = try channelValues(name, text, positive: positive)
    } write: {
      $0[keyPath: path]?.map { "\($0)" }.joined(separator: ",")
    }
  }
}

/// The three numbers of `--mean r,g,b` or `--std r,g,b`; one number stands for all three.
package func channelValues(
  _ name: String, _ text: String, positive: Bool
) throws(SettingError) -> [Float] {
  let parts = text.split(separator: ",", omittingEmptySubsequences: false)
  let values = parts.compactMap { part in
    let text = String(part.trimmingPrefix(while: { $0 == " " }))
    return decimalNumber(text) == nil ? nil : Float(text)
  }
  guard values.count == parts.count, values.count == 3 || values.count == 1,
    values.allSatisfy({ $0.isFinite && (!positive || $0 > 0) })
  else {
    throw SettingError(
      .usage, "\(name) is \"\(text)\"; expected three \(positive ? "positive " : "")numbers r,g,b")
  }
  return values.count == 1 ? Array(repeating: values[0], count: 3) : values
}
