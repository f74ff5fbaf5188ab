/// MNIST and Fashion-MNIST: pairs of IDX files, plain or gzip.
///
/// Big-endian integers: magic 0x00000803, images, rows, columns, then the gray bytes row by row;
/// magic 0x00000801, labels, then one byte a label (LeCun, Cortes, Burges: "The MNIST database").
struct IDX {
  let info: DatasetInfo
  /// No more images than this are read: a damaged header must not ask for the machine's memory.
  /// The published sets have 60,000.
  static let imageLimit = 100_000

  /// Reads the images and labels whose files begin with `train` or `t10k`.
  func read(_ split: String, from directory: String) throws(DatasetError) -> ImageSet {
    let imageFiles = names("\(split)-images", "idx3-ubyte")
    let subfolders =
      info.name == .mnist
      ? ["raw", "MNIST/raw", "mnist"] : ["raw", "FashionMNIST/raw", "fashion-mnist"]
    let folder = try DataFolder(
      directory, subfolders: subfolders, files: imageFiles,
      advice: "give the folder with the publisher's files train-images-idx3-ubyte.gz, "
        + "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz")
    let imagePath = folder.first(of: imageFiles)
    let labelPath = folder.first(of: names("\(split)-labels", "idx1-ubyte"))
    let labels = try readLabels(labelPath)
    let pixels = try readImages(imagePath, labels: labels.count, labelPath: labelPath)
    return ImageSet(
      height: info.height, width: info.width, classes: info.classes, labels: labels,
      pixels: pixels)
  }

  /// The names under which a file is found: as published, and as some mirrors write it.
  private func names(_ stem: String, _ kind: String) -> [String] {
    ["-", "."].flatMap { ["\(stem)\($0)\(kind)", "\(stem)\($0)\(kind).gz"] }
  }

  private func readLabels(_ path: String) throws(DatasetError) -> [Int] {
    let stream = try ByteStream(path, gzip: true)
    let header = try readHeader(stream, integers: 2, magic: 0x801, what: "labels")
    let count = try checkedCount(header[1], path: path)
    let bytes = try readBody(stream, count, what: "\(count) labels of a byte")
    if let bad = bytes.firstIndex(where: { $0 >= info.classes }) {
      throw DatasetError(
        .malformed, "\(path): label \(bad) is \(bytes[bad]); expected 0…\(info.classes - 1)")
    }
    return bytes.map(Int.init)
  }

  private func readImages(
    _ path: String, labels: Int, labelPath: String
  ) throws(DatasetError) -> [UInt8] {
    let stream = try ByteStream(path, gzip: true)
    let header = try readHeader(stream, integers: 4, magic: 0x803, what: "images")
    let count = try checkedCount(header[1], path: path)
    guard header[2] == info.height && header[3] == info.width else {
      throw DatasetError(
        .malformed,
        "\(path) has images of \(header[2])×\(header[3]) pixels; "
          + "expected \(info.height)×\(info.width)")
    }
    guard count == labels else {
      throw DatasetError(
        .malformed,
        "\(path) has \(count) images, but \(labelPath) has \(labels) labels; "
          + "expected as many: do the files belong together?")
    }
    let gray = try readBody(
      stream, count * info.height * info.width,
      what: "\(count) images of \(info.height)×\(info.width) bytes")
    var pixels: [UInt8] = []
    pixels.reserveCapacity(gray.count * 3)
    for value in gray {
      pixels.append(value)
      pixels.append(value)
      pixels.append(value)
    }
    return pixels
  }

  /// Reads the big-endian integers before the data; the first one is the magic number.
  private func readHeader(
    _ stream: ByteStream, integers: Int, magic: Int, what: String
  ) throws(DatasetError) -> [Int] {
    var bytes = [UInt8](repeating: 0, count: integers * 4)
    let count = try stream.read(bytes.count, into: &bytes)
    guard count == bytes.count else {
      throw DatasetError(
        .malformed,
        "\(stream.path) ends after \(count) bytes; "
          + "expected an IDX file of \(what), which begins with \(bytes.count)")
    }
    let header = (0..<integers).map { i in
      bytes[i * 4..<i * 4 + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    guard header[0] == magic else {
      throw DatasetError(
        .malformed,
        "\(stream.path) begins with \(hexadecimal(header[0])); expected "
          + "\(hexadecimal(magic)), an IDX file of \(what)")
    }
    return header
  }

  private func checkedCount(_ count: Int, path: String) throws(DatasetError) -> Int {
    guard (1...Self.imageLimit).contains(count) else {
      throw DatasetError(
        .malformed,
        "\(path) says that it has \(count) images or labels; "
          + "expected 1…\(Self.imageLimit)")
    }
    return count
  }

  /// Reads exactly this many bytes and makes sure that no more follow.
  private func readBody(
    _ stream: ByteStream, _ count: Int, what: String
  ) throws(DatasetError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let found = try stream.read(count, into: &bytes)
    guard found == count else {
      throw DatasetError(
        .malformed, "\(stream.path) is cut off: \(found) bytes after its header; expected \(what)")
    }
    try stream.expectEnd(what)
    return bytes
  }

  private func hexadecimal(_ value: Int) -> String { "0x" + String(value, radix: 16) }
}
