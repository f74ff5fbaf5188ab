import Foundation

/// From numbers to places along a picture's side, with round numbers to mark.
struct Axis {
  let isLogarithmic: Bool
  let low: Double
  let high: Double
  /// The numbers to mark, rising, all inside.
  let ticks: [Double]
  /// From one tick to the next, where that is the same everywhere.
  private let step: Double

  /// An axis that shows all of `values`.
  ///
  /// - Parameters:
  ///   - fromZero: whether zero is shown too.
  ///   - isInteger: whether only whole numbers are marked, and none beside the values.
  init(
    _ values: [Double], logarithmic: Bool = false, fromZero: Bool = false, isInteger: Bool = false
  ) {
    let values = values.filter(\.isFinite)
    var (low, high) = (values.min() ?? 0, values.max() ?? 1)
    isLogarithmic = logarithmic && low > 0
    if isLogarithmic {
      let (first, last) = (Int(floor(log10(low) + 1e-9)), Int(ceil(log10(high) - 1e-9)))
      self.low = pow(10, Double(first))
      self.high = pow(10, Double(max(last, first + 1)))
      ticks = (first...max(last, first + 1)).map { pow(10, Double($0)) }
      step = 0
      return
    }
    if fromZero { (low, high) = (min(low, 0), max(high, 0)) }
    let (least, most) = (low, high)
    if high - low < 1e-12 * max(abs(high), 1e-300) || high == low {
      let room = isInteger ? max(abs(low) * 1e-9, 1) : max(abs(low) * 0.05, 1e-9)
      (low, high) = (low - room, high + room)
    }
    let step = max(Self.roundStep((high - low) / 5), isInteger ? 1 : 0)
    if isInteger {
      (self.low, self.high) = (low, high)
    } else {
      (self.low, self.high) = (floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step)
    }
    self.step = step
    let first = ceil((isInteger ? least : self.low) / step - 1e-9)
    let last = floor((isInteger ? most : self.high) / step + 1e-9)
    ticks = last >= first ? (0...Int(last - first)).map { (first + Double($0)) * step } : []
  }

  /// A tick in the fewest digits that tell it from its neighbours.
  func label(_ tick: Double) -> String {
    if isLogarithmic { return Figure.short(tick) }
    return Figure.multiple(tick, of: step, atMost: max(abs(low), abs(high)))
  }

  /// Where a number lies, 0 at the low and 1 at the high end.
  func position(_ value: Double) -> Double {
    if isLogarithmic { return log(max(value, low) / low) / log(high / low) }
    return (value - low) / (high - low)
  }

  /// 1, 2 or 5 times a power of ten, at least `step`.
  private static func roundStep(_ step: Double) -> Double {
    let power = pow(10, floor(log10(step)))
    return [1, 2, 5, 10].map { $0 * power }.first { $0 >= step * (1 - 1e-9) } ?? 10 * power
  }
}
