import CLMDB
import Glibc

/// A named table of one environment; valid as long as the environment is open.
package struct Table: Sendable {
  package let name: String
  let handle: UInt32
}

/// One unchanging state of an environment; ended when it goes out of scope.
package struct ReadTransaction: ~Copyable {
  // Sound: the handle is owned by this value alone, so it is ended exactly once.
  private let environment: Environment
  private let handle: OpaquePointer

  init(_ environment: Environment) throws(LMDBError) {
    self.environment = environment
    handle = try beginTransaction(environment, flags: UInt32(MDB_RDONLY))
  }

  deinit { mdb_txn_abort(handle) }

  /// The table of that name, or nil where there is none.
  package borrowing func table(_ name: String) throws(LMDBError) -> Table? {
    var table: UInt32 = 0
    let code = mdb_dbi_open(handle, name, 0, &table)
    if code == MDB_NOTFOUND { return nil }
    try LMDBError.check(code, environment.path)
    return Table(name: name, handle: table)
  }

  /// A copy of the value of `key`, or nil.
  package borrowing func copy(of key: [UInt8], in table: Table) throws(LMDBError) -> [UInt8]? {
    try lookUp(handle, key, table, environment.path).map(Array.init)
  }

  /// Calls `body` for every entry in key order; the bytes do not outlive the call.
  package borrowing func forEach(
    in table: Table, _ body: (RawSpan, RawSpan) throws(LMDBError) -> Void
  ) throws(LMDBError) {
    try walk(handle, table, environment.path) { key, value throws(LMDBError) in
      try body(key.bytes, value.bytes)
    }
  }

  /// The number of entries.
  package borrowing func count(of table: Table) throws(LMDBError) -> Int {
    var status = MDB_stat()
    try LMDBError.check(mdb_stat(handle, table.handle, &status), environment.path)
    return status.ms_entries
  }

  /// Entries by address, for a caller that keeps both transaction and environment alive.
  borrowing func unsafeEntries(
    in table: Table
  ) throws(LMDBError) -> [(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)] {
    var entries: [(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)] = []
    try walk(handle, table, environment.path) { key, value in entries.append((key, value)) }
    return entries
  }
}

/// The one write transaction of an environment, between `Environment.write`'s begin and end.
package struct WriteTransaction: ~Copyable {
  // Sound: the handle is owned by this value alone; `commit` and `abort` use it up, and
  // `Environment.write`, the only maker, calls one of them on every path.
  private let environment: Environment
  private let handle: OpaquePointer

  init(_ environment: Environment) throws(LMDBError) {
    self.environment = environment
    handle = try beginTransaction(environment, flags: 0)
  }

  consuming func commit() throws(LMDBError) {
    // Frees the handle even when it fails.
    try LMDBError.check(mdb_txn_commit(handle), environment.path)
  }

  consuming func abort() { mdb_txn_abort(handle) }

  /// Opens the table of that name, making it where there is none.
  package borrowing func table(_ name: String) throws(LMDBError) -> Table {
    var table: UInt32 = 0
    try LMDBError.check(
      mdb_dbi_open(handle, name, UInt32(MDB_CREATE), &table), environment.path)
    return Table(name: name, handle: table)
  }

  /// Adds an entry whose key comes after all others; `.keyExists` when it does not.
  package borrowing func append(
    _ key: [UInt8], _ value: [UInt8], to table: Table
  ) throws(LMDBError) {
    try put(key, value, table, UInt32(MDB_APPEND))
  }

  /// Sets the value of `key`.
  package borrowing func put(
    _ key: [UInt8], _ value: [UInt8], in table: Table
  ) throws(LMDBError) {
    try put(key, value, table, 0)
  }

  private borrowing func put(
    _ key: [UInt8], _ value: [UInt8], _ table: Table, _ flags: UInt32
  ) throws(LMDBError) {
    precondition(!key.isEmpty && key.count <= 511, "LMDB keys have 1–511 bytes, not \(key.count)")
    let code = key.withUnsafeBytes { keyBytes in
      value.withUnsafeBytes { valueBytes in
        var (mdbKey, mdbValue) = (MDB_val(keyBytes), MDB_val(valueBytes))
        return mdb_put(handle, table.handle, &mdbKey, &mdbValue, flags)
      }
    }
    try LMDBError.check(code, environment.path)
  }
}

private func beginTransaction(
  _ environment: Environment, flags: UInt32
) throws(LMDBError) -> OpaquePointer {
  var begun: OpaquePointer?
  try LMDBError.check(mdb_txn_begin(environment.handle, nil, flags, &begun), environment.path)
  guard let handle = begun else { preconditionFailure("mdb_txn_begin gave no transaction") }
  return handle
}

private func lookUp(
  _ transaction: OpaquePointer, _ key: [UInt8], _ table: Table, _ path: String
) throws(LMDBError) -> UnsafeRawBufferPointer? {
  var value = MDB_val()
  let code = key.withUnsafeBytes { bytes in
    var mdbKey = MDB_val(bytes)
    return mdb_get(transaction, table.handle, &mdbKey, &value)
  }
  if code == MDB_NOTFOUND { return nil }
  try LMDBError.check(code, path)
  return UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
}

private func walk(
  _ transaction: OpaquePointer, _ table: Table, _ path: String,
  _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(LMDBError) -> Void
) throws(LMDBError) {
  var opened: OpaquePointer?
  try LMDBError.check(mdb_cursor_open(transaction, table.handle, &opened), path)
  guard let cursor = opened else { preconditionFailure("mdb_cursor_open gave no cursor") }
  defer { mdb_cursor_close(cursor) }
  var (key, value) = (MDB_val(), MDB_val())
  while true {
    let code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
    if code == MDB_NOTFOUND { return }
    try LMDBError.check(code, path)
    try body(
      UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size),
      UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
  }
}

extension MDB_val {
  /// LMDB copies what it is given, so the missing `const` in its header does no harm.
  fileprivate init(_ bytes: UnsafeRawBufferPointer) {
    self.init(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
  }
}
