/// The checked header of a safetensors file: which bytes of the data part are which array.
///
/// Stricter than the format's text where that leaves room: no key twice, no unknown field, arrays
/// lie in the data part without hole and without overlap and fill it to the last byte
/// (format: github.com/huggingface/safetensors, section "Format").
struct SafeTensorsHeader {
  /// Longest header that is read, in bytes.
  static let limit = 16 << 20
  /// Most arrays in one file.
  static let tensorLimit = 200_000
  private static let rankLimit = 64

  struct Entry {
    let dtype: StateTensor.DType
    let shape: [Int]
    /// Bytes of the data part, counted from the end of the header.
    let range: Range<Int>
  }

  private(set) var metadata: [String: String] = [:]
  private(set) var entries: [String: Entry] = [:]

  /// Reads and checks the header `bytes` of a file whose data part has `dataCount` bytes.
  init(_ bytes: [UInt8], dataCount: Int) throws(HeaderScanner.Failure) {
    guard bytes.first == UInt8(ascii: "{") else {
      throw HeaderScanner.Failure(offset: 0, reason: "the header does not begin with '{'")
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw HeaderScanner.Failure(offset: 0, reason: "the header is not valid UTF-8")
    }
    var scanner = HeaderScanner(bytes)
    var sawMetadata = false
    try scanner.object { (scanner, name) throws(HeaderScanner.Failure) in
      if name == "__metadata__" {
        guard !sawMetadata else { throw scanner.failure("\"__metadata__\" comes twice") }
        sawMetadata = true
        metadata = try Self.metadata(&scanner)
        return
      }
      guard entries[name] == nil else { throw scanner.failure("\"\(name)\" comes twice") }
      guard entries.count < Self.tensorLimit else {
        throw scanner.failure("more than \(Self.tensorLimit) arrays")
      }
      entries[name] = try Self.entry(&scanner, name: name)
    }
    try scanner.expectEnd()
    try checkLayout(dataCount: dataCount, scanner)
  }

  private static func metadata(
    _ scanner: inout HeaderScanner
  ) throws(HeaderScanner.Failure) -> [String: String] {
    var metadata: [String: String] = [:]
    try scanner.object { (scanner, key) throws(HeaderScanner.Failure) in
      guard metadata[key] == nil else {
        throw scanner.failure("\"\(key)\" comes twice in the metadata")
      }
      metadata[key] = try scanner.string()
    }
    return metadata
  }

  private static func entry(
    _ scanner: inout HeaderScanner, name: String
  ) throws(HeaderScanner.Failure) -> Entry {
    var dtype: String?
    var shape: [Int]?
    var offsets: [Int]?
    try scanner.object { (scanner, key) throws(HeaderScanner.Failure) in
      switch key {
      case "dtype" where dtype == nil: dtype = try scanner.string()
      case "shape" where shape == nil: shape = try scanner.integers(limit: rankLimit)
      case "data_offsets" where offsets == nil: offsets = try scanner.integers(limit: 2)
      case "dtype", "shape", "data_offsets":
        throw scanner.failure("\"\(name)\": \"\(key)\" comes twice")
      default:
        throw scanner.failure("\"\(name)\" has the unknown field \"\(key)\"")
      }
    }
    guard let dtype, let shape, let offsets else {
      let missing = dtype == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
      throw scanner.failure("\"\(name)\" has no \"\(missing)\"")
    }
    guard let type = StateTensor.DType(rawValue: dtype) else {
      let known = StateTensor.DType.allCases.map(\.rawValue).joined(separator: ", ")
      throw scanner.failure("\"\(name)\" has the element type \"\(dtype)\"; known are \(known)")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw scanner.failure("\"\(name)\": data_offsets \(offsets) are not a begin and an end")
    }
    var size = type.size
    for length in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: length)
      guard !overflow else {
        throw scanner.failure("\"\(name)\": the shape \(shape) overflows 64 bits")
      }
      size = product
    }
    guard offsets[1] - offsets[0] == size else {
      throw scanner.failure(
        "\"\(name)\": shape \(shape) of \(dtype) takes \(size) bytes, "
          + "but data_offsets \(offsets) span \(offsets[1] - offsets[0])")
    }
    return Entry(dtype: type, shape: shape, range: offsets[0]..<offsets[1])
  }

  /// The arrays, in order of their offsets, must fill the data part exactly.
  private func checkLayout(
    dataCount: Int, _ scanner: HeaderScanner
  ) throws(HeaderScanner.Failure) {
    let inOrder = entries.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound)
        < ($1.value.range.lowerBound, $1.value.range.upperBound)
    }
    var end = 0
    for (name, entry) in inOrder {
      guard entry.range.lowerBound == end else {
        let defect = entry.range.lowerBound > end ? "leaves a hole after" : "overlaps"
        throw scanner.failure(
          "\"\(name)\" begins at byte \(entry.range.lowerBound) and \(defect) the array before it, "
            + "which ends at \(end)")
      }
      end = entry.range.upperBound
    }
    guard end == dataCount else {
      let defect = end > dataCount ? "it is cut off" : "something was appended to it"
      throw scanner.failure(
        "the arrays take \(end) bytes, but the file has \(dataCount) after the header: \(defect)")
    }
  }
}
