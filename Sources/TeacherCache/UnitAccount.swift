internal import FileIO
internal import LMDB

/// What an unsealed unit knows about itself, written in the same transactions as its records.
struct UnitAccount {
  /// Images that are complete.
  var done = 0
  var content = ContentSum()
  /// Largest |z − decoded z| seen.
  var logitError = 0.0
  /// What coding did to the views whose exact logits were given.
  var coding = CodingError()
  /// What computed the records.
  var kernelLevels = KernelLevels(text: "")

  init() {}

  /// Opens the environment of `unit` where an interrupted run left it, or a new one.
  ///
  /// One that is damaged, of other work or of another teacher is deleted; one that could not be
  /// looked at, for want of memory or permission, is not.
  static func open(
    _ directory: String, for unit: WorkUnit, _ identity: CacheIdentity, mapBytes: Int
  ) throws(CacheError) -> (Environment, UnitAccount) {
    let description = Array(UnitName.description(of: unit, identity).utf8)
    let found = try FileSystem.kind(of: directory)
    if found == .directory,
      let (environment, account) = try resume(directory, description, mapBytes),
      account.done <= unit.images.count
    {
      return (environment, account)
    }
    if found != .absent { try FileSystem.remove(directory) }
    try FileSystem.makeDirectory(directory)
    do {
      let environment = try Environment(directory, mode: .filling(mapBytes: mapBytes))
      let account = UnitAccount()
      try environment.write { transaction throws(LMDBError) in
        let table = try transaction.table(RecordTable.account)
        try transaction.put(Key.unit, description, in: table)
        try account.write(transaction)
      }
      return (environment, account)
    } catch {
      throw CacheError(error)
    }
  }

  /// What lies in `directory`; nil where it is not whole or not of that description.
  private static func resume(
    _ directory: String, _ description: [UInt8], _ mapBytes: Int
  ) throws(CacheError) -> (Environment, UnitAccount)? {
    guard try FileSystem.kind(of: directory + "/data.mdb") == .file else { return nil }
    do throws(LMDBError) {
      let environment = try Environment(directory, mode: .filling(mapBytes: mapBytes))
      guard try value(Key.unit, environment) == description,
        let account = try value(Key.state, environment).flatMap({ UnitAccount($0) })
      else { return nil }
      return (environment, account)
    } catch {
      // A kill before the first commit leaves a file that LMDB does not open; nothing was in it.
      switch error.kind {
      case .notAnEnvironment, .corrupted, .wrongVersion, .missingFile: return nil
      default: throw CacheError(error)
      }
    }
  }

  func write(_ transaction: borrowing WriteTransaction) throws(LMDBError) {
    let table = try transaction.table(RecordTable.account)
    try transaction.put(Key.state, bytes, in: table)
  }

  private enum Key {
    static let unit = Array("unit".utf8)
    static let state = Array("state".utf8)
  }

  private static func value(
    _ key: [UInt8], _ environment: Environment
  ) throws(LMDBError) -> [UInt8]? {
    try environment.read { transaction throws(LMDBError) in
      guard let table = try transaction.table(RecordTable.account) else { return nil }
      return try transaction.copy(of: key, in: table)
    }
  }
}

extension UnitAccount {
  /// Bytes before the kernel levels: images done, content, largest logit error, coding errors.
  private static let fixedBytes = 8 + 32 + 8 + 80

  /// Little-endian, the kernel levels as text, XXH3-64 of all that: records may be whole where
  /// a flipped bit makes their count wrong.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: UInt64(done))
    bytes.append(contentsOf: content.bytes)
    bytes.append(littleEndian: logitError.bitPattern)
    bytes.append(contentsOf: coding.bytes)
    bytes.append(contentsOf: kernelLevels.text.utf8)
    bytes.append(littleEndian: checksum(of: bytes))
    return bytes
  }

  init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.fixedBytes + 8 else { return nil }
    let text = Array(bytes.dropLast(8))
    let number = { (range: Range<Int>) in UInt64(littleEndianBytes: bytes[range]) }
    guard number(text.count..<bytes.count) == checksum(of: text),
      let done = Int(exactly: number(0..<8)), let coding = CodingError(Array(text[48..<128]))
    else { return nil }
    let logitError = Double(bitPattern: number(40..<48))
    guard coding == CodingError() || coding.isPossible(records: CacheManifest.unitByteLimit),
      logitError.isFinite
    else { return nil }
    self.done = done
    content = ContentSum(text[8..<40])
    self.logitError = logitError
    self.coding = coding
    kernelLevels = KernelLevels(
      text: String(decoding: text[Self.fixedBytes...], as: UTF8.self))
  }
}
