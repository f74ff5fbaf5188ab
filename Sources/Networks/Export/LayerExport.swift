import Tensors

// Every layer's inference as ONNX nodes. Images are N×C×H×W there.

extension Conv2D {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    graph.add(
      "Conv", [x.name, graph.array(weight)] + (bias.map { [graph.array($0)] } ?? []),
      attributes: [
        ("group", .integer(shape.groups)), ("kernel_shape", .list([shape.kernel, shape.kernel])),
        ("pads", .list(Array(repeating: shape.padding, count: 4))),
        ("strides", .list([shape.strides, shape.strides])),
      ],
      channels: shape.outputs, height: shape.outputSize(x.height), width: shape.outputSize(x.width))
  }
}

extension ConvTranspose2D {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    graph.add(
      "ConvTranspose", [x.name, graph.array(weight)] + (bias.map { [graph.array($0)] } ?? []),
      attributes: [
        ("kernel_shape", .list([shape.kernel, shape.kernel])),
        ("pads", .list(Array(repeating: shape.padding, count: 4))),
        ("strides", .list([shape.strides, shape.strides])),
      ],
      channels: shape.inputs, height: outputSize(x.height), width: outputSize(x.width))
  }
}

extension BatchNorm2D {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    let arrays = [
      graph.array(weight), graph.array(bias), graph.array(runningMean),
      graph.array(runningVariance),
    ]
    return graph.add("BatchNormalization", x, arrays, attributes: [("epsilon", .number(epsilon))])
  }
}

extension ReLU {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    graph.add("Relu", x)
  }
}

extension Linear {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    graph.add(
      "Gemm", [x.name, graph.array(weight), graph.array(bias)],
      attributes: [("transB", .integer(1))], channels: shape.outputs, height: 1, width: 1)
  }
}

extension NormedLinear {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    let (inputs, outputs) = (weight.stateShape[0], weight.stateShape[1])
    let matrix = OnnxGraph.Value(
      name: graph.array(weight), channels: inputs, height: outputs, width: 1)
    let columns = graph.add(
      "LpNormalization", matrix, attributes: [("axis", .integer(0)), ("p", .integer(2))])
    let rows = graph.add(
      "LpNormalization", x, attributes: [("axis", .integer(1)), ("p", .integer(2))])
    return graph.add("MatMul", [rows.name, columns.name], channels: outputs, height: 1, width: 1)
  }
}

extension GlobalAveragePool {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    let pooled = graph.add(
      "GlobalAveragePool", [x.name], channels: x.channels, height: 1, width: 1)
    return graph.add("Flatten", pooled, attributes: [("axis", .integer(1))])
  }
}

extension Pooling {
  /// The pooling as one node; borders count as zeros in an average.
  func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    var attributes: [(String, OnnxGraph.Attribute)] = [
      ("kernel_shape", .list([kernel, kernel])),
      ("pads", .list(Array(repeating: padding, count: 4))), ("strides", .list([strides, strides])),
    ]
    if kind == .average { attributes.append(("count_include_pad", .integer(1))) }
    return graph.add(
      kind == .average ? "AveragePool" : "MaxPool", [x.name], attributes: attributes,
      channels: x.channels, height: outputSize(x.height), width: outputSize(x.width))
  }
}

extension AveragePool2D {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    pooling.export(x, to: &graph)
  }
}

extension MaxPool2D {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    passes(height: x.height) ? x : pooling.export(x, to: &graph)
  }
}

extension Sequential {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    layers.reduce(x) { $1.export($0, to: &graph) }
  }
}

extension Residual {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    let side = shortcut?.export(x, to: &graph) ?? x
    return graph.add("Add", main.export(x, to: &graph), [side.name])
  }
}

extension OptionAShortcut {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    let smaller = graph.add(
      "Slice",
      [
        x.name, graph.array([0, 0]), graph.array([x.height, x.width]), graph.array([2, 3]),
        graph.array([strides, strides]),
      ],
      channels: inputs, height: (x.height + strides - 1) / strides,
      width: (x.width + strides - 1) / strides)
    let before = (outputs - inputs) / 2
    return graph.add(
      "Pad",
      [smaller.name, graph.array([0, before, 0, 0, 0, outputs - inputs - before, 0, 0])],
      channels: outputs, height: smaller.height, width: smaller.width)
  }
}

extension OnnxGraph {
  /// The channels of `x` at `indices`, in that order.
  fileprivate mutating func channels(_ indices: [Int], of x: Value) -> Value {
    add(
      "Gather", [x.name, array(indices)], attributes: [("axis", .integer(1))],
      channels: indices.count, height: x.height, width: x.width)
  }

  /// The channels of `a`, then those of `b`.
  fileprivate mutating func concatenated(_ a: Value, _ b: Value) -> Value {
    add(
      "Concat", [a.name, b.name], attributes: [("axis", .integer(1))],
      channels: a.channels + b.channels, height: a.height, width: a.width)
  }

  /// Where each channel of a shuffle with so many groups comes from.
  fileprivate static func shuffle(_ channels: Int, groups: Int) -> [Int] {
    (0..<channels).map { $0 % groups * (channels / groups) + $0 / groups }
  }
}

extension ChannelShuffle {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    graph.channels(OnnxGraph.shuffle(x.channels, groups: groups), of: x)
  }
}

extension RectifiedConcatenation {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    let both = graph.concatenated(main.export(x, to: &graph), shortcut.export(x, to: &graph))
    return graph.add("Relu", both)
  }
}

extension ShuffledHalves {
  package func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value {
    var waiting = left.export(x, to: &graph)
    var passed = right.export(x, to: &graph)
    let order = OnnxGraph.shuffle(2 * waiting.channels, groups: 2)
    for unit in units {
      let both = graph.concatenated(waiting, passed)
      waiting = graph.channels(Array(order.prefix(order.count / 2)), of: both)
      passed = unit.export(
        graph.channels(Array(order.suffix(order.count / 2)), of: both), to: &graph)
    }
    return graph.channels(order, of: graph.concatenated(waiting, passed))
  }
}
