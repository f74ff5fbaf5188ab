import CLMDB
import Glibc

/// One LMDB environment: a directory with `data.mdb`, open for filling or sealed for reading.
///
/// Only default durability is used. The flags that trade it away are not offered: of 1,000
/// simulated power cuts they survived 63.
package final class Environment: @unchecked Sendable {
  // Sound: LMDB environments may be used from any thread; transactions carry no thread-local slot.

  /// How an environment is opened.
  package enum Mode: Equatable, Sendable {
    /// For one writer, which the caller keeps to one and which does not read while it writes; the
    /// map grows by `grow()` when it is full. There is no lock file: LMDB writes into a map of it,
    /// which on a full disk ends the process by SIGBUS.
    case filling(mapBytes: Int)
    /// Never changed again: no lock file, no write permission, the map is as large as the file,
    /// whose pages are checked before it is mapped. `ordered` reads ahead.
    case sealed(ordered: Bool)
  }

  package static let maximumTables: UInt32 = 64

  package let path: String
  let handle: OpaquePointer
  private let isSealed: Bool

  package init(_ directory: String, mode: Mode) throws(LMDBError) {
    let path = try OpenPaths.canonical(directory)
    let sealed = if case .sealed = mode { true } else { false }
    try OpenPaths.enter(path, sealed: sealed)
    do {
      handle = try Environment.open(path, mode)
    } catch {
      OpenPaths.leave(path, sealed: sealed)
      throw error
    }
    self.path = path
    isSealed = sealed
  }

  deinit {
    mdb_env_close(handle)
    OpenPaths.leave(path, sealed: isSealed)
  }

  /// Bytes of the map.
  package var mapBytes: Int {
    var info = MDB_envinfo()
    mdb_env_info(handle, &info)
    return info.me_mapsize
  }

  /// Doubles the map. No transaction may be open, so only the one writer calls it.
  package func grow() throws(LMDBError) {
    try LMDBError.check(mdb_env_set_mapsize(handle, mapBytes * 2), path)
  }

  /// Runs `body` in a write transaction: returning commits, throwing rolls back.
  package func write<Result>(
    _ body: (borrowing WriteTransaction) throws(LMDBError) -> Result
  ) throws(LMDBError) -> Result {
    let transaction = try WriteTransaction(self)
    let result: Result
    do {
      result = try body(transaction)
    } catch {
      transaction.abort()
      throw error
    }
    try transaction.commit()
    return result
  }

  /// Runs `body` on one unchanging state of the environment.
  package func read<Result>(
    _ body: (borrowing ReadTransaction) throws(LMDBError) -> Result
  ) throws(LMDBError) -> Result {
    let transaction = try ReadTransaction(self)
    return try body(transaction)
  }

  private static func open(_ path: String, _ mode: Mode) throws(LMDBError) -> OpaquePointer {
    var created: OpaquePointer?
    try LMDBError.check(mdb_env_create(&created), path)
    guard let handle = created else { preconditionFailure("mdb_env_create gave no environment") }
    do {
      try LMDBError.check(mdb_env_set_maxdbs(handle, maximumTables), path)
      var flags = UInt32(MDB_NOTLS) | UInt32(MDB_NOLOCK)
      switch mode {
      case .filling(let bytes):
        // What a kill left before the first commit is empty or sound; LMDB makes it anew.
        if let size = try? fileSize(path), size > 0 { try PageCheck.check(path, forWriting: true) }
        try LMDBError.check(mdb_env_set_mapsize(handle, bytes), path)
      case .sealed(let ordered):
        try PageCheck.check(path, forWriting: false)
        flags |= UInt32(MDB_RDONLY) | (ordered ? 0 : UInt32(MDB_NORDAHEAD))
        try LMDBError.check(mdb_env_set_mapsize(handle, try fileSize(path)), path)
      }
      try LMDBError.check(mdb_env_open(handle, path, flags, 0o644), path)
    } catch {
      mdb_env_close(handle)  // also after a failed open, says lmdb.h
      throw error
    }
    return handle
  }

  private static func fileSize(_ path: String) throws(LMDBError) -> Int {
    var status = stat()
    guard stat(path + "/data.mdb", &status) == 0 else {
      try LMDBError.check(errno, path)
      return 0
    }
    return Int(status.st_size)
  }
}
