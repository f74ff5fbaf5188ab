/// What training forwards keep for their backward: last in, first out.
struct Kept<Value> {
  private var values: [Value] = []

  /// Keeps nothing in inference mode.
  mutating func push(_ value: Value, in mode: Mode) {
    if mode == .training { values.append(value) }
  }

  /// What the last forward kept that has no backward yet; `layer` names it in the message of a bug.
  mutating func pop(_ layer: @autoclosure () -> String) -> Value {
    guard let value = values.popLast() else {
      preconditionFailure("\(layer()): backward without a training forward")
    }
    return value
  }
}
