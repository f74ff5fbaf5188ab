import CKernels
import Foundation
import Synchronization

/// Recycles tensor buffers: a buffer that a tensor lets go is handed to the next of its size.
///
/// Fresh 16 MiB arrays each step are eight times slower than warm ones (page faults), so buffers
/// are kept until the memory goes. Sizes are rounded up to an eighth of their power of two.
///
/// Each worker has a shelf of its own, beside that of the code between loops: what it takes and gives
/// back inside a loop stays in its core's caches. What is taken inside a loop has to go back there.
package final class TensorMemory: Sendable {
  private let shelves: [Shelf]

  /// - Parameter workers: how many threads take buffers inside of loops.
  package init(workers: Int = 0) {
    shelves = (0...workers).map { _ in Shelf() }
  }

  /// A buffer of at least `bytes` bytes with undefined contents.
  func take(bytes: Int) -> Block {
    let size = TensorMemory.sizeClass(bytes)
    return shelf.take(size: size) ?? Block(size: size)
  }

  func give(_ block: Block) { shelf.give(block) }

  /// Workers of another pool share the shelves of this one's: a shelf is only the nearest.
  private var shelf: Shelf { shelves[Int(workers_place()) % shelves.count] }

  /// Free buffers by their size.
  private final class Shelf: Sendable {
    private let free = Mutex<[Int: [Block]]>([:])

    func take(size: Int) -> Block? { free.withLock { $0[size]?.popLast() } }

    func give(_ block: Block) { free.withLock { $0[block.size, default: []].append(block) } }

    deinit {
      free.withLock { lists in
        for block in lists.values.joined() { block.deallocate() }
      }
    }
  }

  /// The bytes that a buffer of at least `bytes` bytes has.
  package static func sizeClass(_ bytes: Int) -> Int {
    if bytes <= 1024 { return 1024 }
    let step = (1 << (Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount)) / 8
    return (bytes + step - 1) / step * step
  }

  /// Aligned bytes. `@unchecked`: whoever took the block is its only user until it is given back.
  struct Block: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    let size: Int

    static let pageSize = 1 << 21

    init(size: Int) {
      let large = size >= Block.pageSize
      var start: UnsafeMutableRawPointer?
      let code = posix_memalign(&start, large ? Block.pageSize : 64, size)
      guard code == 0, let start else { endWithoutMemory(for: "a tensor of \(size) bytes") }
      #if os(Linux)
        // 2 MiB pages: a training step walks some 200 MiB, far beyond the TLB's reach with 4 KiB.
        if large { _ = madvise(start, size, Int32(MADV_HUGEPAGE)) }
      #endif
      self.start = start
      self.size = size
    }

    func deallocate() { Foundation.free(start) }
  }
}

/// Ends the process with code 69 and a message: what it asked for is more than the machine gives. An
/// optimised build would not print that of a failed precondition.
func endWithoutMemory(for what: String) -> Never {
  let line = isatty(STDERR_FILENO) == 1 ? "\n" : ""  // below a live line of progress
  let text = line + "error: no memory for \(what); smaller batches or fewer threads need less\n"
  _ = write(STDERR_FILENO, text, text.utf8.count)
  _exit(69)
}
