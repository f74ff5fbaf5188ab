internal import CLMDB
internal import Glibc

/// Finds out whether a `data.mdb` is built as LMDB 0.9 builds it, before LMDB maps it.
///
/// LMDB believes what it reads: a page number, an offset or a size that leads elsewhere ends the
/// process by a signal. So everything that a reader follows is followed here first, in bounds:
/// both meta pages, then each page of the main tree and of the tables named in it, once. Values
/// that fill pages of their own are not read, only the 16 bytes before them. A writer also follows
/// the tree of free pages, whose values are lists of pages that nothing else leads to; readers do
/// not use it.
///
/// All numbers are little-endian, as on the machines that this program runs on.
struct PageCheck: ~Copyable {
  // Sound: the descriptor is owned by this value alone and closed once.
  private let descriptor: Int32
  private let path: String
  private let fileBytes: Int
  private var pageBytes = 4096
  private var pages = 0
  /// Pages that something led to, and those that follow the first of a value. Neither takes memory for
  /// pages that a file only claims to have.
  private var entered: Set<Int> = []
  private var runs: [Range<Int>] = []
  private var newestTransaction: UInt64 = 0

  /// Fails with `.notAnEnvironment`, `.wrongVersion` or `.corrupted` naming the page and what is
  /// wrong with it.
  ///
  /// - Parameter forWriting: whether the free pages are looked at too.
  static func check(_ directory: String, forWriting: Bool) throws(LMDBError) {
    var check = try PageCheck(directory + "/data.mdb")
    try check.run(forWriting)
  }

  private init(_ path: String) throws(LMDBError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { try LMDBError.check(errno, path) }
    self.path = path
    var status = stat()
    fileBytes = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  deinit { close(descriptor) }

  private mutating func run(_ forWriting: Bool) throws(LMDBError) {
    let first = try meta(0, at: 0)
    pageBytes = first.pageBytes
    guard pageBytes.nonzeroBitCount == 1, (512...32_768).contains(pageBytes) else {
      throw fault(0, "pages of \(pageBytes) bytes; expected a power of two, 512…32768")
    }
    let second = try meta(1, at: pageBytes)
    guard second.pageBytes == pageBytes else {
      throw fault(1, "pages of \(second.pageBytes) bytes, \(pageBytes) in page 0")
    }
    let filled = fileBytes / pageBytes
    for (number, meta) in [first, second].enumerated() where meta.lastPage >= UInt64(filled) {
      throw fault(number, "page \(meta.lastPage) is the last one, but the file has \(filled)")
    }
    // LMDB prefers the first of two that are equally new.
    let newest = first.transaction < second.transaction ? second : first
    pages = Int(newest.lastPage) + 1
    newestTransaction = newest.transaction
    for table in try walk(newest.main, .tables).tables { _ = try walk(table, .values) }
    if forWriting {
      for page in try walk(newest.free, .freePages).pages {
        _ = try enter(page, from: newest.free.page)
      }
    }
    try requireApart()
  }

  private func meta(_ number: Int, at offset: Int) throws(LMDBError) -> Meta {
    let bytes = try read(152, at: offset, page: number)
    let meta = Meta(bytes)
    guard bytes.half(10) & 0x08 != 0, meta.magic == 0xBEEF_C0DE else {
      throw LMDBError(
        kind: .notAnEnvironment, code: MDB_INVALID, path: path,
        reason: "page \(number) is no meta page of LMDB")
    }
    guard meta.version == 1 else {
      throw LMDBError(kind: .wrongVersion, code: MDB_VERSION_MISMATCH, path: path)
    }
    // Integer keys, which the tree of free pages has, and nothing else: no fixed address.
    guard meta.flags == 0x08 else {
      throw fault(number, "flags \(meta.flags); expected 8")
    }
    return meta
  }

  /// Walks a tree and gives what its leaves name.
  private mutating func walk(_ tree: Tree, _ content: Walk.Content) throws(LMDBError) -> Walk {
    // The keys of free pages are integers.
    let flags = content == .freePages ? 0x08 : 0
    guard tree.flags == flags else {
      throw fault(tree.page, "a table with flags \(tree.flags); expected \(flags)")
    }
    var walk = Walk(depth: tree.depth, content: content)
    if tree.root == .max {
      guard tree.depth == 0, tree.entries == 0 else {
        throw fault(tree.page, "a table of \(tree.entries) entries without a root")
      }
      return walk
    }
    guard (1...Self.depthLimit).contains(tree.depth) else {
      throw fault(tree.page, "a tree of depth \(tree.depth); expected 1…\(Self.depthLimit)")
    }
    try visit(tree.root, level: 1, from: tree.page, &walk)
    guard walk.entries == tree.entries else {
      throw fault(tree.page, "a table of \(walk.entries) entries says \(tree.entries)")
    }
    return walk
  }

  private mutating func visit(
    _ number: UInt64, level: Int, from parent: Int, _ walk: inout Walk
  ) throws(LMDBError) {
    let page = try enter(number, from: parent)
    let bytes = try read(pageBytes, at: page * pageBytes, page: page)
    let isLeaf = level == walk.depth
    guard bytes.long(0) == number, bytes.half(10) == (isLeaf ? 0x02 : 0x01) else {
      throw fault(page, "it is not the \(isLeaf ? "leaf" : "branch") that page \(parent) names")
    }
    let (lower, upper) = (bytes.half(12), bytes.half(14))
    let count = (lower - 16) / 2
    // A branch of one child ends LMDB by an assertion.
    guard lower % 2 == 0, lower <= upper, upper <= pageBytes, count >= (isLeaf ? 1 : 2) else {
      throw fault(page, "\(count) entries between the bytes \(lower) and \(upper)")
    }
    for index in 0..<count {
      let node = bytes.half(16 + 2 * index)
      guard node % 2 == 0, node >= upper, node + 8 <= pageBytes,
        node + 8 + bytes.half(node + 6) <= pageBytes
      else { throw fault(page, "entry \(index) lies outside the page") }
      if isLeaf {
        try leafEntry(bytes, node, page, &walk)
      } else {
        // Branches keep the upper bits of the child's number where leaves keep their flags.
        let child = UInt64(bytes.word(node)) | UInt64(bytes.half(node + 4)) << 32
        try visit(child, level: level + 1, from: page, &walk)
      }
    }
  }

  private mutating func leafEntry(
    _ bytes: [UInt8], _ node: Int, _ page: Int, _ walk: inout Walk
  ) throws(LMDBError) {
    walk.entries += 1
    let (size, data) = (bytes.word(node), node + 8 + bytes.half(node + 6))
    if walk.content == .freePages {
      // The transaction that freed them.
      let key = bytes.half(node + 6) == 8 ? bytes.long(node + 8) : 0
      guard key > walk.lastKey, key <= newestTransaction else {
        throw fault(page, "a key of free pages is no transaction after \(walk.lastKey)")
      }
      walk.lastKey = key
    }
    switch bytes.half(node + 4) {
    case 0x00 where data + size <= pageBytes:
      if walk.content == .freePages { try freePages(bytes[data..<data + size], page, &walk) }
    case 0x01 where data + 8 <= pageBytes:
      let first = try overflow(bytes.long(data), size, from: page)
      if walk.content == .freePages {
        try freePages(read(size, at: first * pageBytes + 16, page: first)[...], first, &walk)
      }
    case 0x02 where walk.content == .tables && size == Tree.bytes && data + size <= pageBytes:
      walk.tables.append(Tree(bytes, at: data, page: page))
    default:
      throw fault(page, "an entry with flags \(bytes.half(node + 4)) and \(size) bytes")
    }
  }

  /// A list: how many pages, then their numbers, falling.
  private func freePages(
    _ value: ArraySlice<UInt8>, _ page: Int, _ walk: inout Walk
  ) throws(LMDBError) {
    let bytes = Array(value)
    guard bytes.count >= 8, bytes.long(0) < UInt64(bytes.count / 8) else {
      throw fault(page, "a list of free pages that is longer than its \(bytes.count) bytes")
    }
    let numbers = (0..<Int(bytes.long(0))).map { bytes.long(8 + 8 * $0) }
    guard zip(numbers, numbers.dropFirst()).allSatisfy(>) else {
      throw fault(page, "a list of free pages that is not in order")
    }
    walk.pages += numbers
  }

  /// A value in whole pages of its own, of which only the first has a header; gives that one.
  private mutating func overflow(
    _ number: UInt64, _ size: Int, from parent: Int
  ) throws(LMDBError) -> Int {
    let first = try enter(number, from: parent)
    let header = try read(16, at: first * pageBytes, page: first)
    let count = header.word(12)
    guard header.long(0) == number, header.half(10) == 0x04, count >= 1,
      count <= pages - first, size + 16 <= count * pageBytes
    else {
      throw fault(first, "a value of \(size) bytes does not lie in the \(count) pages from here")
    }
    runs.append(first + 1..<first + count)
    return first
  }

  /// No page belongs to two values, or to a value and a tree.
  private func requireApart() throws(LMDBError) {
    var end = 0
    for run in (entered.map { $0..<$0 + 1 } + runs).sorted(by: { $0.lowerBound < $1.lowerBound })
    where !run.isEmpty {
      guard run.lowerBound >= end else {
        throw fault(run.lowerBound, "it is led to twice")
      }
      end = run.upperBound
    }
  }

  /// Takes a page, which nothing else may lead to, so that no walk goes in circles.
  private mutating func enter(_ number: UInt64, from parent: Int) throws(LMDBError) -> Int {
    guard number >= 2, number < UInt64(pages) else {
      throw fault(parent, "it leads to page \(number) of \(pages)")
    }
    let page = Int(number)
    guard entered.insert(page).inserted else {
      throw fault(parent, "page \(page) is led to twice")
    }
    return page
  }

  private func read(_ count: Int, at offset: Int, page: Int) throws(LMDBError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let found = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, count, offset) }
    if found < 0 {
      let code = errno
      // Nothing is written here, so that no full disk can be behind it.
      if code == EIO { throw LMDBError(kind: .input, code: code, path: path) }
      try LMDBError.check(code, path)
    }
    guard found == count else { throw fault(page, "the file ends before it does") }
    return bytes
  }

  private func fault(_ page: Int, _ reason: String) -> LMDBError {
    LMDBError(kind: .corrupted, code: MDB_CORRUPTED, path: path, reason: "page \(page): \(reason)")
  }

  /// LMDB's cursors hold no more levels.
  private static let depthLimit = 32

  private struct Walk {
    enum Content { case tables, values, freePages }

    let depth: Int
    let content: Content
    var entries = 0
    /// Those that the main tree names.
    var tables: [Tree] = []
    /// Those that are free.
    var pages: [UInt64] = []
    var lastKey: UInt64 = 0
  }
}

/// What a meta page says: where the newest state of the environment begins.
private struct Meta {
  let magic, version, pageBytes, flags: Int
  let free, main: Tree
  let lastPage, transaction: UInt64

  init(_ bytes: [UInt8]) {
    magic = bytes.word(16)
    version = bytes.word(20)
    // The tree of free pages keeps these two in places that it does not need.
    pageBytes = bytes.word(40)
    flags = bytes.half(44)
    free = Tree(bytes, at: 40, page: 0)
    main = Tree(bytes, at: 88, page: 0)
    lastPage = bytes.long(136)
    transaction = bytes.long(144)
  }
}

/// The 48 bytes that describe a table: flags, depth, entries, root.
private struct Tree {
  static let bytes = 48
  let flags, depth: Int
  let entries, root: UInt64
  /// Where it stands.
  let page: Int

  init(_ bytes: [UInt8], at offset: Int, page: Int) {
    flags = bytes.half(offset + 4)
    depth = bytes.half(offset + 6)
    entries = bytes.long(offset + 32)
    root = bytes.long(offset + 40)
    self.page = page
  }
}

extension [UInt8] {
  fileprivate func half(_ offset: Int) -> Int { Int(self[offset]) | Int(self[offset + 1]) << 8 }

  fileprivate func word(_ offset: Int) -> Int { half(offset) | half(offset + 2) << 16 }

  fileprivate func long(_ offset: Int) -> UInt64 {
    UInt64(word(offset)) | UInt64(word(offset + 4)) << 32
  }
}
