@testable import LMDB

/// An environment of one table with one entry: two meta pages, the main tree, the table.
private let sound: [UInt8] = {
  do {
    let environment = try Environment(folder, mode: .filling(mapBytes: 1 << 20))
    try environment.write { transaction throws(LMDBError) in
      let table = try transaction.table("a")
      try transaction.append([1], [2, 3], to: table)
      try transaction.append([2], [UInt8](repeating: 9, count: 5000), to: table)
    }
  } catch { preconditionFailure("\(error)") }
  return contents("data.mdb")
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  write(Input(data, size, sound: sound).bytes, to: "data.mdb")
  guard let snapshot = try? Snapshot(folder),
    let entries = try? snapshot.unsafeEntries(of: "a")
  else { return 0 }
  var sum = 0
  for (key, value) in entries { sum += key.reduce(0) { $0 + Int($1) } + Int(value.last ?? 0) }
  return sum < 0 ? 1 : 0
}
