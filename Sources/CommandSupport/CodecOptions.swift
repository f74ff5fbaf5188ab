import ArgumentParser
import Datasets
import Experiments
import TeacherCache

/// How outputs are stored: flags of `dump`, and of training that writes through.
///
/// All are optional, so that a run that stores nothing can refuse them.
package struct CodecOptions: ParsableArguments {
  @Option(help: ArgumentHelp("fp32, fp16, q8 or coarse (default: q8).", valueName: "codec"))
  var logits: String?
  @Option(
    help: ArgumentHelp(
      "Taps whose features are stored, such as stage1,stage2, or none (default: none).",
      valueName: "taps"))
  var features: String?
  @Option(help: ArgumentHelp("Views that store features (default: weak:1).", valueName: "list"))
  var featureViews: String?
  @Option(help: ArgumentHelp("fp32, fp16 or q8 (default: fp16).", valueName: "precision"))
  var featurePrecision: String?
  @OptionGroup var network: NetworkFileSystemOptions

  package init() {}

  func makeForm() throws -> StorageForm {
    var form = StorageForm()
    if let logits {
      guard let codec = LogitCodec(rawValue: logits) else {
        throw Failure(Status.usage, "--logits is \(logits); expected fp32, fp16, q8 or coarse")
      }
      form.logits = codec
    }
    if let featurePrecision {
      guard let precision = FeaturePrecision(rawValue: featurePrecision) else {
        throw Failure(
          Status.usage, "--feature-precision is \(featurePrecision); expected fp32, fp16 or q8")
      }
      form.featurePrecision = precision
    }
    if let featureViews { form.featureViews = try ViewSet(parsing: featureViews) }
    if let features { form.taps = try taps(features) }
    if form.taps.isEmpty, let featureViews {
      throw Failure(
        Status.usage,
        "--feature-views \(featureViews) says of which views features are stored; name their taps "
          + "with --features, or leave it out")
    }
    form.allowNetworkFileSystem = network.allowNetworkFs
    return form
  }

  /// The names of the flags that were given.
  var given: [String] {
    [
      ("--logits", logits != nil), ("--features", features != nil),
      ("--feature-views", featureViews != nil), ("--feature-precision", featurePrecision != nil),
      ("--allow-network-fs", network.allowNetworkFs),
    ].filter(\.1).map(\.0)
  }

  private func taps(_ features: String) throws -> [String] {
    guard features != "none" else { return [] }
    let names = features.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard Set(names).count == names.count, !names.contains("") else {
      throw Failure(
        Status.usage, "--features is \(features); expected taps such as stage1,stage2, each once")
    }
    return names
  }
}

/// `--allow-network-fs`.
package struct NetworkFileSystemOptions: ParsableArguments {
  @Flag(
    help: "Write the cache although it lies on a network file system, at your own risk.")
  package var allowNetworkFs = false

  package init() {}
}
