internal import LMDB

/// What an unsealed unit knows about itself, written in the same transactions as its records.
struct UnitAccount {
  var done = 0
  var content = ContentSum()
  var logitError = 0.0
  var coding = CodingError()

  /// Opens the environment of `unit`, deleting one that is damaged, of other work or another teacher.
  static func open(
    _ directory: String, for unit: WorkUnit, _ identity: CacheIdentity, mapBytes: Int
  ) throws(CacheError) -> Environment {
    let description = Array(UnitName.description(of: unit, identity).utf8)
    if try FileSystem.kind(of: directory) != .absent {
      // A kill before the first commit leaves a file that LMDB does not open; nothing was in it.
      if let environment = try? Environment(directory, mode: .filling(mapBytes: mapBytes)),
        (try? text("unit", environment)) == description
      {
        return environment
      }
      try FileSystem.remove(directory)
    }
    try FileSystem.makeDirectory(directory)
    do {
      let environment = try Environment(directory, mode: .filling(mapBytes: mapBytes))
      try environment.write { transaction throws(LMDBError) in
        let table = try transaction.table(RecordTable.account)
        try transaction.put(Array("unit".utf8), description, in: table)
      }
      return environment
    } catch {
      throw CacheError(error)
    }
  }

  static func read(_ environment: Environment) throws(CacheError) -> UnitAccount {
    do {
      var account = UnitAccount()
      guard let done = try text("done", environment), done.count == 8,
        let content = try text("content", environment).flatMap({ ContentSum(hexadecimal($0)) }),
        let error = try text("error", environment), error.count == 8
      else { return account }
      if let coding = try text("coding", environment).flatMap({ CodingError($0) }) {
        account.coding = coding
      }
      account.done = Int(done.reversed().reduce(0) { $0 << 8 | UInt64($1) })
      account.content = content
      account.logitError = Double(bitPattern: error.reversed().reduce(0) { $0 << 8 | UInt64($1) })
      return account
    } catch {
      throw CacheError(error)
    }
  }

  func write(_ transaction: borrowing WriteTransaction) throws(LMDBError) {
    let table = try transaction.table(RecordTable.account)
    var (count, error): ([UInt8], [UInt8]) = ([], [])
    count.append(littleEndian: UInt64(done))
    error.append(littleEndian: logitError.bitPattern)
    try transaction.put(Array("done".utf8), count, in: table)
    try transaction.put(Array("content".utf8), content.bytes, in: table)
    try transaction.put(Array("error".utf8), error, in: table)
    try transaction.put(Array("coding".utf8), coding.bytes, in: table)
  }

  private static func text(
    _ name: String, _ environment: Environment
  ) throws(LMDBError) -> [UInt8]? {
    try environment.read { transaction throws(LMDBError) in
      guard let table = try transaction.table(RecordTable.account) else { return nil }
      return try transaction.copy(of: Array(name.utf8), in: table)
    }
  }
}

extension CacheError {
  /// What an LMDB error means for a cache.
  init(_ error: LMDBError, recordsSafe: Int = 0) {
    self =
      switch error.kind {
      case .diskFull:
        .diskFull(
          path: error.path, free: FileSystem.freeBytes(at: error.path), recordsSafe: recordsSafe)
      case .permission: .permission(path: error.path)
      case .missingFile: .missing(what: "the file data.mdb", path: error.path)
      case .notAnEnvironment, .corrupted, .notFound, .keyExists:
        .corrupt(path: error.path, reason: error.description)
      case .wrongVersion:
        .version(path: error.path, found: "another LMDB format", expected: "LMDB 0.9")
      case .tooManyFiles:
        .io(path: error.path, reason: "too many open files; raise the limit with ulimit -n")
      case .mapFull, .input, .alreadyOpen, .other:
        .io(path: error.path, reason: error.description)
      }
  }
}
