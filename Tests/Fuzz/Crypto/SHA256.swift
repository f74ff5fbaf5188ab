/// Stands in for swift-crypto, so that fuzzing needs no build of BoringSSL: a sum with the shape
/// of SHA-256. No parser's path depends on what a hash is, only on whether two are equal.
public struct SHA256 {
  public struct Digest: Sequence, Sendable {
    let bytes: [UInt8]
    public func makeIterator() -> IndexingIterator<[UInt8]> { bytes.makeIterator() }

    public func withUnsafeBytes<Result>(
      _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result { try bytes.withUnsafeBytes(body) }
  }

  private var state: UInt64 = 0xCBF2_9CE4_8422_2325

  public init() {}

  public mutating func update(data: some Sequence<UInt8>) {
    for byte in data { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  public mutating func update(bufferPointer: UnsafeRawBufferPointer) {
    update(data: bufferPointer)
  }

  public func finalize() -> Digest {
    Digest(bytes: (0..<32).map { UInt8(truncatingIfNeeded: state >> (($0 % 8) * 8)) })
  }

  public static func hash(data: some Sequence<UInt8>) -> Digest {
    var hash = SHA256()
    hash.update(data: data)
    return hash.finalize()
  }
}
