import CKernels
import Foundation
import Synchronization
import Tensors
import Testing

@Suite struct TensorTests {
  @Test func copiesShareStorageThatGoesBackWithTheLastOne() {
    let memory = TensorMemory()
    var first: Tensor? = Tensor([100, 7], in: memory)
    let address = first?.pointer
    var copy = first
    first = nil
    let other = Tensor([100, 7], in: memory)
    #expect(other.pointer != address)
    copy = nil
    #expect(Tensor([700], in: memory).pointer == address)
    _ = copy
  }

  @Test func storageIsAlignedToCacheLinesAndLargeStorageToPages() {
    let memory = TensorMemory()
    for count in [1, 3, 1000, 1 << 18, 3 << 20] {
      let bits = UInt(bitPattern: Tensor([count], in: memory).pointer)
      #expect(bits % 64 == 0)
      if count * 4 >= 1 << 21 { #expect(bits % (1 << 21) == 0) }
    }
  }

  @Test func sizeClassesWasteAtMostAnEighth() {
    for bytes in [1025, 4096, 5000, 123_457, 1 << 20, (1 << 20) + 1] {
      let size = TensorMemory.sizeClass(bytes)
      #expect(size >= bytes)
      #expect(Double(size) <= Double(bytes) * 1.126)
    }
  }

  @Test func valuesAndShapesSurvive() {
    let tensor = Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])
    #expect(tensor.values == [1, 2, 3, 4, 5, 6])
    #expect(tensor.reshaped([3, 2]).shape == [3, 2])
    #expect(Tensor.zeros([2, 0, 3], in: TensorMemory()).values.isEmpty)
    #expect(Tensor.zeros([3], in: TensorMemory()).values == [0, 0, 0])
  }

  @Test func refusesValuesThatDoNotFillTheShape() async {
    await #expect(processExitsWith: .failure) { _ = Tensor([1, 2, 3], shape: [2, 2]) }
  }
}

@Suite struct ExecutionTests {
  @Test("Every index runs once", arguments: [1, 2, 3, 8])
  func everyIndexRunsOnce(threads: Int) {
    let execution = Execution(threads: threads)
    for count in [0, 1, 2, 7, 1000] {
      let runs = (0..<max(1, count)).map { _ in Counter() }
      for _ in 0..<20 { execution.parallel(count) { runs[$0].add() } }
      #expect(runs.prefix(count).allSatisfy { $0.value == 20 })
    }
  }

  @Test("A worker begins with its own share", arguments: [2, 3, 5])
  func aWorkerBeginsWithItsOwnShare(threads: Int) {
    let execution = Execution(threads: threads)
    let inside = Counter()
    let places = (0..<threads).map { _ in Counter() }
    execution.parallel(threads) { index in
      inside.add()
      // All wait here for the last, so none can help another.
      while inside.value < threads { sched_yield() }
      for _ in 0..<workers_place() { places[index].add() }
    }
    #expect(places.map(\.value) == Array(1...threads))
    #expect(workers_place() == 0)
  }

  @Test func aWorkersBuffersComeBackToIt() {
    let execution = Execution(threads: 2)
    let inside = Counter()
    let first = Mutex<[Int: UInt]>([:])
    for round in 1...2 {
      execution.parallel(2) { index in
        inside.add()
        while inside.value < 2 * round { sched_yield() }
        let address = UInt(bitPattern: Tensor([5000], in: execution.memory).pointer)
        let known = first.withLock { known in
          defer { known[index] = address }
          return known[index]
        }
        if round == 2 { #expect(known == address) }
      }
    }
    let values = first.withLock { $0 }
    #expect(values[0] != values[1])
    let between = UInt(bitPattern: Tensor([5000], in: execution.memory).pointer)
    #expect(!values.values.contains(between))
  }

  @Test func nestedLoopsRunInline() {
    let execution = Execution(threads: 3)
    let total = Counter()
    execution.parallel(10) { _ in execution.parallel(10) { _ in total.add() } }
    #expect(total.value == 100)
  }

  @Test func loopsOfSeveralCallersDoNotDisturbEachOther() async {
    let execution = Execution(threads: 3)
    let total = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<400 { execution.parallel(100) { _ in total.add() } }
        }
      }
    }
    #expect(total.value == 320_000)
  }

  @Test func rangesCoverEverythingOnce() {
    let execution = Execution(threads: 2)
    for count in [0, 1, 5, 17, 1000] {
      let seen = (0..<max(1, count)).map { _ in Counter() }
      execution.parallelRanges(count, atLeast: 3) { range in for i in range { seen[i].add() } }
      #expect(seen.prefix(count).allSatisfy { $0.value == 1 })
    }
  }

  final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
  }
}
