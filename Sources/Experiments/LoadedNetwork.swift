package import Datasets
package import Networks

/// A network with the normalisation that its weights expect.
package struct LoadedNetwork {
  package let network: Classifier
  package let normalization: Normalization
  /// What turns the cosines of a normalised classifier into logits, as in its training; 1 for others.
  package let logitScale: Float
  package let weightHash: String

  package static let logitScaleKey = "logit_scale"

  /// A weight file's network.
  ///
  /// - Parameters:
  ///   - architecture: in place of the file's metadata.
  ///   - mean: in place of the file's metadata.
  ///   - std: in place of the file's metadata.
  ///   - info: the data set; gives the number of classes, and the normalisation where neither the
  ///     call nor the file does.
  package init(
    weights path: String, architecture: String? = nil, mean: [Float]? = nil, std: [Float]? = nil,
    info: DatasetInfo
  ) throws {
    let file = try SafeTensors.read(path)
    guard let name = architecture ?? file.metadata["architecture"] else {
      throw SettingError(
        .usage,
        "\(path) does not say its architecture; name it (--arch, or --teacher-arch where a student's "
          + "teacher runs live)")
    }
    if let dataset = file.metadata["dataset"], canonicalDataset(dataset) != info.name.rawValue {
      throw NetworkError(
        .mismatch,
        "\(path) was trained on \(dataset), the data set here is "
          + "\(info.name.rawValue); give a network of this data set")
    }
    if architecture == nil, (try? Architecture.canonical(name)) == nil {
      throw NetworkError(
        .mismatch,
        "\(path) says that it is a \"\(name)\", which is no network known here; if that is wrong, "
          + "name the right one (--arch, or --teacher-arch where a student's teacher runs live)")
    }
    network = try Architecture.make(name, classes: info.classes)
    try network.load(file, path: path)
    let (fileMean, fileStd) = try file.normalization(path)
    normalization = try Normalization(
      mean: mean ?? fileMean ?? info.mean, std: std ?? fileStd ?? info.std)
    logitScale = network.givesCosines ? try file.logitScale(path) : 1
    weightHash = network.weightHash
  }
}

extension Classifier {
  /// Fails for a network that gives cosines: at every temperature they are nearly flat.
  func requireLogits(_ path: String) throws(NetworkError) {
    guard !givesCosines else {
      throw NetworkError(
        .mismatch,
        "\(path): \(architecture) gives cosines between −1 and 1, which LDAM scales while it trains, "
          + "and no logits; give a teacher without a normalised classifier, such as resnet32_s")
    }
  }
}

extension SafeTensors {
  /// What its metadata says of a normalised classifier; 1 where they say nothing.
  ///
  /// - Throws: `NetworkError` of a damaged file for what is no positive number.
  func logitScale(_ path: String) throws(NetworkError) -> Float {
    guard let text = metadata[LoadedNetwork.logitScaleKey] else { return 1 }
    guard let scale = Float(text), scale.isFinite, scale > 0 else {
      throw NetworkError(
        .mismatch,
        "\(path): \(LoadedNetwork.logitScaleKey) is \"\(text)\"; expected a positive number, the scale of "
          + "LDAM's training")
    }
    return scale
  }

  /// The normalisation that the file's metadata names.
  ///
  /// - Throws: `NetworkError` of a damaged file for values that are none.
  func normalization(_ path: String) throws -> (mean: [Float]?, std: [Float]?) {
    do {
      return (
        try metadata["mean"].map { try channelValues("\(path): mean", $0, positive: false) },
        try metadata["std"].map { try channelValues("\(path): std", $0, positive: true) }
      )
    } catch let error as SettingError {
      throw NetworkError(.mismatch, error.description)
    }
  }
}
