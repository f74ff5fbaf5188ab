import Tensors

extension Classifier {
  /// Takes parameters and running statistics from a weight file, or changes nothing and throws.
  ///
  /// Names are PyTorch's, with any number of `module.` and `_orig_mod.` before them.
  /// `num_batches_tracked` may be missing and may have shape [] or [1]. Floating-point arrays of
  /// any width are taken as fp32. Refused: missing, unexpected or misshapen arrays, values that
  /// are not finite, negative variances.
  ///
  /// - Parameter path: where the file came from, for messages.
  package func load(_ file: SafeTensors, path: String) throws(NetworkError) {
    let found = try Self.unwrapped(file.tensors, path: path)
    try checkNames(found, path: path)

    var values: [String: [Float]] = [:]
    for parameter in parameters {
      values[parameter.name] = try floats(parameter.name, parameter.stateShape, found, path: path)
    }
    for buffer in buffers {
      if buffer.isInteger {
        values[buffer.name] = try counter(buffer.name, found[buffer.name], path: path)
      } else {
        values[buffer.name] = try floats(buffer.name, buffer.stateShape, found, path: path)
      }
    }
    for parameter in parameters {
      if let value = values[parameter.name] { parameter.setState(value) }
    }
    for buffer in buffers {
      if let value = values[buffer.name] { buffer.values = value }
    }
  }

  /// The arrays without the prefixes that DataParallel and torch.compile put before names.
  private static func unwrapped(
    _ tensors: [String: StateTensor], path: String
  ) throws(NetworkError) -> [String: StateTensor] {
    var found: [String: StateTensor] = [:]
    for (name, tensor) in tensors {
      var rest = Substring(name)
      while let prefix = ["module.", "_orig_mod."].first(where: { rest.hasPrefix($0) }) {
        rest = rest.dropFirst(prefix.count)
      }
      guard found.updateValue(tensor, forKey: String(rest)) == nil else {
        throw NetworkError(
          .mismatch, "\(path): \"\(rest)\" comes twice, with and without \"module.\" before it")
      }
    }
    return found
  }

  private func checkNames(
    _ found: [String: StateTensor], path: String
  ) throws(NetworkError) {
    let required = parameters.map(\.name) + buffers.filter { !$0.isInteger }.map(\.name)
    let known = Set(required + buffers.map(\.name))
    let missing = required.filter { found[$0] == nil }
    let unexpected = found.keys.filter { !known.contains($0) }.sorted(by: SafeTensors.precedes)
    guard missing.isEmpty, unexpected.isEmpty else {
      throw NetworkError(
        .mismatch,
        "\(path): not the weights of \(architecture) with \(classes) classes: "
          + "\(missing.count) names missing\(Self.listed(missing, near: unexpected)), "
          + "\(unexpected.count) unexpected\(Self.listed(unexpected, near: missing)); "
          + "name the right architecture or convert the file again")
    }
  }

  /// Up to six names, each with the nearest of the other list; bounded, whatever a file holds.
  private static func listed(_ names: [String], near others: [String]) -> String {
    guard !names.isEmpty else { return "" }
    let candidates = Array(others.lazy.filter { $0.utf8.count <= 100 }.prefix(2000))
    let shown = names.prefix(6).map { name in
      guard name.utf8.count <= 100 else { return "\"\(name.prefix(100))…\"" }
      let near = nearest(to: name, in: candidates, limit: 1)
      return near.first.map { "\"\(name)\" (nearest: \"\($0)\")" } ?? "\"\(name)\""
    }
    return " (" + shown.joined(separator: ", ") + (names.count > 6 ? ", …" : "") + ")"
  }

  private func floats(
    _ name: String, _ shape: [Int], _ found: [String: StateTensor], path: String
  ) throws(NetworkError) -> [Float] {
    guard let tensor = found[name] else { preconditionFailure("\(name) was checked to be there") }
    guard tensor.shape == shape else {
      throw NetworkError(
        .mismatch,
        "\(path): \"\(name)\" has shape \(tensor.shape), "
          + "\(architecture) with \(classes) classes needs \(shape)")
    }
    guard tensor.integers == nil else {
      throw NetworkError(
        .mismatch, "\(path): \"\(name)\" holds \(tensor.dtype.rawValue), expected floating point")
    }
    let values = tensor.floats
    if let place = values.firstIndex(where: { !$0.isFinite }) {
      throw NetworkError(
        .mismatch,
        "\(path): \"\(name)\" holds \(values[place]) at element \(place); "
          + "weights must be finite: the training that made them diverged")
    }
    if name.hasSuffix(".running_var"), let place = values.firstIndex(where: { $0 < 0 }) {
      throw NetworkError(
        .mismatch,
        "\(path): \"\(name)\" holds the variance \(values[place]) at element \(place); "
          + "variances are not negative")
    }
    return values
  }

  /// The batches a batch norm has seen, at most 2²⁴, from where a Float no longer counts; PyTorch leaves
  /// the number out, or writes it as [] or [1].
  private func counter(
    _ name: String, _ tensor: StateTensor?, path: String
  ) throws(NetworkError) -> [Float] {
    guard let tensor else { return [0] }
    guard tensor.shape == [] || tensor.shape == [1], let count = tensor.integers?.first, count >= 0
    else {
      throw NetworkError(
        .mismatch,
        "\(path): \"\(name)\" is \(tensor.dtype.rawValue) of shape \(tensor.shape), "
          + "expected one non-negative integer")
    }
    return [Float(min(count, 1 << 24))]
  }
}
