import Crypto
import FileIO
import Tensors

extension SafeTensors {
  /// SHA-256 of all there is, whatever the order in the file, in lower-case hex: of the metadata as
  /// name, zero byte, value, zero byte, then of each array by name: the name, a zero byte, its type
  /// and shape as "F32,16,3,3,3", a zero byte, its bytes.
  package var contentHash: String {
    var hash = SHA256()
    for (name, value) in metadata.sorted(by: { SafeTensors.precedes($0.key, $1.key) }) {
      hash.update(data: Array("\(name)\0\(value)\0".utf8))
    }
    for (name, tensor) in tensors.sorted(by: { SafeTensors.precedes($0.key, $1.key) }) {
      let form = ([tensor.dtype.rawValue] + tensor.shape.map(String.init)).joined(separator: ",")
      hash.update(data: Array("\(name)\0\(form)\0".utf8))
      hash.update(data: tensor.bytes)
    }
    return hexadecimal(hash.finalize())
  }
}

extension Classifier {
  /// The parameters, running statistics and counters under their PyTorch names.
  ///
  /// - Parameter metadata: `dataset`, `mean`, `std` and whatever else belongs in the file;
  ///   `architecture` and `format` ("pt", so that PyTorch tools take the file) are added.
  package func state(metadata: [String: String] = [:]) -> SafeTensors {
    var file = SafeTensors(metadata: metadata)
    file.metadata["architecture"] = architecture
    file.metadata["format"] = "pt"
    for parameter in parameters {
      file.tensors[parameter.name] = StateTensor(
        parameter.stateValues(), shape: parameter.stateShape)
    }
    for buffer in buffers {
      file.tensors[buffer.name] =
        buffer.isInteger
        ? StateTensor(buffer.values.map { Int64($0) }, shape: buffer.stateShape)
        : StateTensor(buffer.values, shape: buffer.stateShape)
    }
    return file
  }

  /// SHA-256 (lower-case hex) of what decides the network's answers in inference.
  ///
  /// Over the parameters and running statistics in order of their names' UTF-8 bytes, each as the
  /// name, a zero byte, the shape as "16,3,3,3", a zero byte, and the fp32 bytes (little-endian).
  /// So it is the same whatever order, prefixes or float width a file had, and batch counters and
  /// metadata do not matter. Caches carry it for ever: a change would orphan them all.
  package var weightHash: String {
    var arrays = parameters.map { (name: $0.name, shape: $0.stateShape, values: $0.stateValues()) }
    arrays += buffers.filter { !$0.isInteger }.map { ($0.name, $0.stateShape, $0.values) }
    arrays.sort { SafeTensors.precedes($0.name, $1.name) }
    var hash = SHA256()
    for array in arrays {
      let shape = array.shape.map(String.init).joined(separator: ",")
      hash.update(data: Array("\(array.name)\0\(shape)\0".utf8))
      hash.update(data: StateTensor(array.values, shape: array.shape).bytes)
    }
    return hexadecimal(hash.finalize())
  }
}
