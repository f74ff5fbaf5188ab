import Reporting
import Tensors

/// What the phases of many steps add up to.
struct PhaseTotals {
  private var seconds: [Phase: Double] = [:]
  private var multiplyAdds: [Phase: Int] = [:]
  private var steps = 0

  mutating func add(_ sums: [Phase: PhaseClock.Sum], steps: Int) {
    for (phase, sum) in sums {
      seconds[phase, default: 0] += sum.seconds
      multiplyAdds[phase, default: 0] += sum.multiplyAdds
    }
    self.steps += steps
  }

  /// The floating-point operations of all phases; a multiply-add is two.
  static func operations(_ sums: [Phase: PhaseClock.Sum]) -> Double {
    sums.values.reduce(0) { $0 + 2 * Double($1.multiplyAdds) }
  }

  /// Milliseconds a step, share of the whole and speed of each phase that took any time.
  func members(images: Int) -> [(String, JSONValue)] {
    let count = Double(max(steps, 1))
    let total = seconds.values.reduce(0, +)
    let operations = multiplyAdds.values.reduce(0) { $0 + 2 * Double($1) }
    var members: [(String, JSONValue)] = [
      ("steps", .integer(steps)),
      ("mflop_per_image", .number(operations / count / Double(images) * 1e-6)),
    ]
    for phase in Phase.allCases {
      guard let spent = seconds[phase], spent > 0 else { continue }
      var parts: [(String, JSONValue)] = [
        ("ms", .number(spent / count * 1000)), ("share", .number(spent / total)),
      ]
      if let done = multiplyAdds[phase], done > 0 {
        parts.append(("gflops", .number(2 * Double(done) / spent * 1e-9)))
      }
      members.append(("\(phase)", .object(parts)))
    }
    return members
  }
}
