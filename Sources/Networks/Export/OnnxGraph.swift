internal import Protobuf

/// A network as a graph of ONNX nodes (opset 13), in the order in which they are added.
///
/// Arrays keep their state-dict names and layouts, so a graph can be read beside the weight file.
package struct OnnxGraph {
  /// What a node gives: its name, and its shape without the batch: C×H×W, or C alone behind a global
  /// pool.
  package struct Value {
    let name: String
    let channels: Int
    let height: Int
    let width: Int
  }

  /// The version of the operators; also what a file says (`opset_import`).
  static let opset = 13
  private static let floats = 1
  private static let integers = 7  // 64 bits

  private(set) var message = ProtobufMessage()
  private var nodes = 0

  /// Adds a node with one output and gives that output, shaped as told.
  ///
  /// - Parameters:
  ///   - operation: its ONNX name, such as `Conv`.
  ///   - inputs: names of values and arrays.
  ///   - attributes: numbers, or lists of integers, by name.
  mutating func add(
    _ operation: String, _ inputs: [String], attributes: [(String, Attribute)] = [],
    channels: Int, height: Int, width: Int
  ) -> Value {
    nodes += 1
    let name = "\(operation)_\(nodes)"
    message.add(1) { node in
      for input in inputs { node.add(1, input) }
      node.add(2, name)
      node.add(3, name)
      node.add(4, operation)
      for (name, value) in attributes {
        node.add(5) { value.write(name, to: &$0) }
      }
    }
    return Value(name: name, channels: channels, height: height, width: width)
  }

  /// Adds a node whose output has its first input's shape.
  mutating func add(
    _ operation: String, _ x: Value, _ more: [String] = [],
    attributes: [(String, Attribute)] = []
  ) -> Value {
    add(
      operation, [x.name] + more, attributes: attributes, channels: x.channels, height: x.height,
      width: x.width)
  }

  enum Attribute {
    case integer(Int)
    case list([Int])
    case number(Float)

    fileprivate func write(_ name: String, to attribute: inout ProtobufMessage) {
      attribute.add(1, name)
      switch self {
      case .number(let value):
        attribute.add(2, value)
        attribute.add(20, 1)
      case .integer(let value):
        attribute.add(3, value)
        attribute.add(20, 2)
      case .list(let values):
        for value in values { attribute.add(8, value) }
        attribute.add(20, 7)
      }
    }
  }

  /// Adds a parameter under its state-dict name and gives that.
  mutating func array(_ parameter: Parameter) -> String {
    array(
      parameter.name, StateTensor(parameter.stateValues(), shape: parameter.stateShape),
      type: Self.floats)
  }

  /// Adds running statistics under their state-dict name and gives that.
  mutating func array(_ buffer: StateBuffer) -> String {
    array(buffer.name, StateTensor(buffer.values, shape: buffer.stateShape), type: Self.floats)
  }

  /// Adds a list of integers, such as the indices of a gather, and gives its name.
  mutating func array(_ values: [Int]) -> String {
    nodes += 1
    return array(
      "constant_\(nodes)", StateTensor(values.map(Int64.init), shape: [values.count]),
      type: Self.integers)
  }

  private mutating func array(_ name: String, _ tensor: StateTensor, type: Int) -> String {
    message.add(5) { array in
      for size in tensor.shape { array.add(1, size) }
      array.add(2, type)
      array.add(8, name)
      array.add(9, tensor.bytes)
    }
    return name
  }

  /// Adds an input (field 11) or output (field 12) of floats; its first size is the batch, "N".
  mutating func declare(_ field: Int, _ name: String, sizes: [Int]) {
    message.add(field) { value in
      value.add(1, name)
      value.add(2) { type in
        type.add(1) { tensor in
          tensor.add(1, Self.floats)
          tensor.add(2) { shape in
            shape.add(1) { $0.add(2, "N") }
            for size in sizes { shape.add(1) { $0.add(1, size) } }
          }
        }
      }
    }
  }

  mutating func rename(_ value: Value, to name: String) {
    message.add(1) { node in
      node.add(1, value.name)
      node.add(2, name)
      node.add(3, name)
      node.add(4, "Identity")
    }
  }

  mutating func name(_ name: String) { message.add(2, name) }
}
