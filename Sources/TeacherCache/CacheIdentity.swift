internal import Crypto
internal import FileIO

/// How logits are stored; see `LogitQuantizer` for the arithmetic to the bit.
package enum LogitCodec: String, Codable, CaseIterable, Sendable {
  /// Bit-exact.
  case fp32
  /// Bit-exact half rounding of z − max z, with max z beside it.
  case fp16
  /// Uniform step 0.12.
  case q8
  /// Uniform step 1/4.
  case coarse

  /// The uniform step Δ of the stored logits, or nil where rounding is relative.
  package var step: Double? {
    switch self {
    case .q8: 0.12
    case .coarse: 0.25
    case .fp32, .fp16: nil
    }
  }
}

/// How features are stored.
package enum FeaturePrecision: String, Codable, CaseIterable, Sendable {
  /// Bit-exact.
  case fp32
  /// Rounded to half, ties to even.
  case fp16
  /// 8 bits with one scale per channel.
  case q8
}

/// What a cache's numbers depend on; equal identities ⇔ caches may merge.
package struct CacheIdentity: Codable, Equatable, Sendable {
  /// The version of this format.
  package static let currentVersion = 1

  package var formatVersion: Int
  package var dataset: String
  /// Of the whole original training set, whatever subset was dumped.
  package var datasetHash: String
  package var classes: Int
  package var height: Int
  package var width: Int
  /// Kind to versioned rule, all kinds of the data set: `["weak": "cifar-crop-flip@1", …]`.
  package var augmentations: [String: String]
  package var viewSeed: UInt64
  package var teacherArchitecture: String
  /// The teacher's weight hash.
  package var teacherWeights: String
  package var teacherMean: [Float]
  package var teacherStd: [Float]
  package var logits: LogitCodec
  package var featurePrecision: FeaturePrecision

  package init(
    formatVersion: Int = CacheIdentity.currentVersion, dataset: String, datasetHash: String,
    classes: Int, height: Int, width: Int, augmentations: [String: String], viewSeed: UInt64,
    teacherArchitecture: String, teacherWeights: String, teacherMean: [Float],
    teacherStd: [Float], logits: LogitCodec, featurePrecision: FeaturePrecision
  ) {
    self.formatVersion = formatVersion
    self.dataset = dataset
    self.datasetHash = datasetHash
    self.classes = classes
    self.height = height
    self.width = width
    self.augmentations = augmentations
    self.viewSeed = viewSeed
    self.teacherArchitecture = teacherArchitecture
    self.teacherWeights = teacherWeights
    self.teacherMean = teacherMean
    self.teacherStd = teacherStd
    self.logits = logits
    self.featurePrecision = featurePrecision
  }

  /// SHA-256 of the canonical JSON of all fields, in lower-case hex.
  package var fingerprint: String {
    hexadecimal(SHA256.hash(data: Array(canonicalJSON.utf8)))
  }

  /// The first 16 digits of the fingerprint.
  package var cacheID: String { String(fingerprint.prefix(16)) }

  /// The first field, in the order above, in which `self` (what is expected) and `other` (what was
  /// found) differ.
  package func firstDifference(
    from other: CacheIdentity
  ) -> (field: String, expected: String, found: String)? {
    zip(fields, other.fields).lazy.filter { $0.value.encoded != $1.value.encoded }
      .map { ($0.name, $0.value.encoded, $1.value.encoded) }.first
  }

  var canonicalJSON: String {
    CanonicalJSON.object(Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.value) }))
      .encoded
  }

  private var fields: [(name: String, value: CanonicalJSON)] {
    [
      ("formatVersion", .integer(formatVersion)),
      ("dataset", .text(dataset)),
      ("datasetHash", .text(datasetHash)),
      ("classes", .integer(classes)),
      ("height", .integer(height)),
      ("width", .integer(width)),
      ("augmentations", .object(augmentations.mapValues(CanonicalJSON.text))),
      ("viewSeed", .unsigned(viewSeed)),
      ("teacherArchitecture", .text(teacherArchitecture)),
      ("teacherWeights", .text(teacherWeights)),
      ("teacherMean", .numbers(teacherMean)),
      ("teacherStd", .numbers(teacherStd)),
      ("logits", .text(logits.rawValue)),
      ("featurePrecision", .text(featurePrecision.rawValue)),
    ]
  }
}
