/// Reads a file of image ids, one a line; blank lines and what follows a # do not count.
///
/// - Parameters:
///   - images: ids must be below this, the size of the original training set.
/// - Returns: the ids, ascending.
/// - Throws: `.missingFile`, `.permission`, and `.malformed` naming the line for anything that is
///   no id, an id out of range and an id that was there before, or for a file without ids.
func readImageList(_ path: String, images: Int) throws(DatasetError) -> [Int] {
  let bytes = try readText(path, limit: 16 << 20)
  var lineOfImage = [Int](repeating: 0, count: images)
  var (line, rest) = (0, bytes[...])
  while !rest.isEmpty {
    line += 1
    let text = rest.prefix { $0 != 10 }
    rest = rest.dropFirst(text.count + 1)
    let beforeComment = text.prefix { $0 != UInt8(ascii: "#") }
    let isSpace = { (byte: UInt8) in byte == 32 || byte == 9 || byte == 13 }
    let item = beforeComment.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
    if item.isEmpty { continue }
    guard let image = decimal(String(decoding: item, as: UTF8.self)) else {
      let shown = String(decoding: item.prefix(40), as: UTF8.self)
      throw DatasetError(
        .malformed,
        "\(path), line \(line): \"\(shown)\" is not an image id; "
          + "expected one number a line")
    }
    guard image < images else {
      throw DatasetError(
        .malformed,
        "\(path), line \(line): there is no image \(image); "
          + "expected 0…\(images - 1), positions in the original training set")
    }
    guard lineOfImage[image] == 0 else {
      throw DatasetError(
        .malformed,
        "\(path), line \(line): image \(image) stands in line "
          + "\(lineOfImage[image]) already; name every image once")
    }
    lineOfImage[image] = line
  }
  let listed = lineOfImage.indices.filter { lineOfImage[$0] > 0 }
  guard !listed.isEmpty else {
    throw DatasetError(.malformed, "\(path) lists no image; expected one id a line")
  }
  return listed
}

/// The bytes of a text file of no more than `limit` bytes.
func readText(_ path: String, limit: Int) throws(DatasetError) -> [UInt8] {
  let stream = try ByteStream(path, gzip: false)
  guard stream.fileSize <= limit else {
    throw DatasetError(
      .malformed, "\(path) has \(stream.fileSize) bytes; a list of images has at most \(limit)")
  }
  var bytes = [UInt8](repeating: 0, count: stream.fileSize)
  let count = try stream.read(bytes.count, into: &bytes)
  try stream.expectEnd("plain text, one image id a line")
  return Array(bytes[..<count])
}
