/// A sealed environment together with a read transaction that lasts as long as this object.
package final class Snapshot: @unchecked Sendable {
  // Sound: a sealed environment never changes and its transactions hold no thread-local slot;
  // after `init` this object is only read.
  private let environment: Environment
  private let transaction: ReadTransaction

  /// Opens `directory` sealed; `ordered` reads ahead, for reading from front to back.
  package init(_ directory: String, ordered: Bool = false) throws(LMDBError) {
    environment = try Environment(directory, mode: .sealed(ordered: ordered))
    transaction = try ReadTransaction(environment)
  }

  /// All entries of a table in key order, or nil where there is no such table.
  ///
  /// Only the tree's pages are touched, not the values. The pointers are valid as long as this
  /// snapshot lives; the caller keeps it.
  package func unsafeEntries(
    of table: String
  ) throws(LMDBError) -> [(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)]? {
    guard let table = try transaction.table(table) else { return nil }
    return try transaction.unsafeEntries(in: table)
  }
}
