import Protobuf

extension Classifier {
  /// The network as an ONNX file: `images` (N×3×H×W floats, normalised) to `logits` (N×classes).
  ///
  /// Nothing but the network is inside; `metadata` says how images are normalised (`mean`, `std`) and
  /// where it comes from. The batch size N is free, height and width are fixed. Opset 13, IR version 7
  /// (ONNX 1.8).
  package func onnx(height: Int, width: Int, metadata: [String: String]) -> [UInt8] {
    var graph = OnnxGraph()
    graph.name(architecture)
    graph.declare(11, "images", sizes: [3, height, width])
    graph.declare(12, "logits", sizes: [classes])
    var value = OnnxGraph.Value(name: "images", channels: 3, height: height, width: width)
    for stage in stages { value = stage.layer.export(value, to: &graph) }
    value = head.export(value, to: &graph)
    precondition(
      value.channels == classes, "\(architecture) exports \(value.channels) logits of \(classes)")
    graph.rename(value, to: "logits")

    var model = ProtobufMessage()
    model.add(1, 7)
    model.add(2, "student-train")
    model.add(7, graph.message)
    model.add(8) { operators in
      operators.add(1, "")
      operators.add(2, OnnxGraph.opset)
    }
    var entries = metadata
    entries["architecture"] = architecture
    for (key, value) in entries.sorted(by: { SafeTensors.precedes($0.key, $1.key) }) {
      model.add(14) { entry in
        entry.add(1, key)
        entry.add(2, value)
      }
    }
    return model.bytes
  }
}
