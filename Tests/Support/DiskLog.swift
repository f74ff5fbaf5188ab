package import FileIO
import Foundation

/// What was done to a folder, in order, and what a power cut in the middle may leave of it.
///
/// A name is safe once its directory was synced after it was made, renamed or removed; a file's
/// bytes once the file was synced. Anything else may be there, be missing or be torn at blocks of
/// 512 bytes, each independently of the others.
package final class DiskLog: @unchecked Sendable {
  // Sound: one thread writes a cache or a run.
  private enum Event {
    case directory(String), file(String), data(String, [UInt8]), sync(String), remove(String)
    case rename(String, String)
  }

  private let root: String
  private var events: [Event] = []
  private var known: [String: [UInt8]] = [:]

  package var count: Int { events.count }

  /// Listens to what happens under `root`.
  package init(_ root: String) { self.root = root }

  /// Notes what was just done; the bytes of a written file are read now.
  package func note(_ change: DiskChange) {
    switch change {
    case .madeDirectory(let path): events.append(.directory(relative(path)))
    case .wrote(let path): wrote(path)
    case .synced(let path): events.append(.sync(relative(path)))
    case .removed(let path):
      events.append(.remove(relative(path)))
      known = known.filter { !$0.key.hasPrefix(relative(path)) }
    case .renamed(let old, to: let new):
      events.append(.rename(relative(old), relative(new)))
      known = known.filter { !$0.key.hasPrefix(relative(old)) }
    }
  }

  /// Notes what LMDB's last commits wrote: pages, sync, meta pages, sync.
  package func committed(_ path: String) {
    let (name, bytes) = (relative(path), contents(path))
    let old = known[name]
    guard old != bytes else { return }
    if old == nil { events.append(.file(name)) }
    let metas = Array((old ?? [UInt8](repeating: 0, count: 8192)).prefix(8192))
    events.append(.data(name, metas + bytes.dropFirst(8192)))
    events.append(.sync(name))
    events.append(.data(name, bytes))
    events.append(.sync(name))
    known[name] = bytes
  }

  private func wrote(_ path: String) {
    let name = relative(path)
    if known[name] == nil { events.append(.file(name)) }
    known[name] = contents(path)
    events.append(.data(name, contents(path)))
  }

  private func contents(_ path: String) -> [UInt8] {
    (try? Data(contentsOf: URL(fileURLWithPath: path))).map(Array.init) ?? []
  }

  private func relative(_ path: String) -> String {
    precondition(path.hasPrefix(root), "\(path) is not under \(root)")
    return String(path.dropFirst(root.count).drop { $0 == "/" })
  }

  private final class File {
    var safe: [UInt8] = []
    var latest: [UInt8] = []
  }

  /// Makes in `folder` what a power cut after the first `count` events may leave.
  package func replay(
    _ count: Int, into folder: String, _ random: inout SplitMix64
  ) throws {
    var (files, folders): ([String: File], Set<String>) = ([:], [""])
    let happened = Array(events.prefix(count))
    func parent(_ path: String) -> String {
      path.split(separator: "/").dropLast().joined(separator: "/")
    }
    for (index, event) in happened.enumerated() {
      func isKept(_ path: String) -> Bool {
        let isSafe = happened[index...].contains {
          if case .sync(let synced) = $0 { synced == parent(path) } else { false }
        }
        return isSafe || random.next() % 2 == 0
      }
      switch event {
      case .directory(let path):
        if isKept(path), folders.contains(parent(path)) { folders.insert(path) }
      case .file(let path):
        if isKept(path), folders.contains(parent(path)) { files[path] = File() }
      case .data(let path, let bytes): files[path]?.latest = bytes
      case .sync(let path): if let file = files[path] { file.safe = file.latest }
      case .remove(let path):
        if isKept(path) {
          files = files.filter { $0.key != path && !$0.key.hasPrefix(path + "/") }
          folders = folders.filter { $0 != path && !$0.hasPrefix(path + "/") }
        }
      case .rename(let old, let new):
        if isKept(new) {
          func renamed(_ path: String) -> String {
            path == old || path.hasPrefix(old + "/") ? new + path.dropFirst(old.count) : path
          }
          let moved = files.filter { renamed($0.key) != $0.key }
          for (path, file) in moved {
            files[path] = nil
            files[renamed(path)] = file
          }
          folders = Set(folders.map(renamed))
        }
      }
    }
    for path in folders.sorted() {
      try FileManager.default.createDirectory(
        atPath: folder + "/" + path, withIntermediateDirectories: true)
    }
    for (path, file) in files.sorted(by: { $0.key < $1.key }) {
      try Data(left(of: file, &random)).write(to: URL(fileURLWithPath: folder + "/" + path))
    }
  }

  private func left(of file: File, _ random: inout SplitMix64) -> [UInt8] {
    switch random.next() % 3 {
    case 0: return file.safe
    case 1: return file.latest
    default:
      if file.safe == file.latest { return file.safe }
      let size = random.next() % 2 == 0 ? file.safe.count : file.latest.count
      return (0..<size).map { $0 }.chunked(512).flatMap { block in
        let source = random.next() % 2 == 0 ? file.safe : file.latest
        return block.map { $0 < source.count ? source[$0] : 0 }
      }
    }
  }
}

extension [Int] {
  fileprivate func chunked(_ size: Int) -> [ArraySlice<Int>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
