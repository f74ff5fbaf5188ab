import CKernels
import Synchronization

/// Where and with how many threads kernels run, and where their buffers come from.
///
/// Shared by all layers of a program and passed in. Results never depend on `threads`.
/// `@unchecked`: `workers` is written once, and its functions may be called from any thread.
package final class Execution: @unchecked Sendable {
  package let threads: Int
  package let memory: TensorMemory
  /// The method of every convolution that it fits; nil: each takes its fastest.
  let convolutionMethod: ConvolutionMethod?
  /// Where the time goes, if somebody asks; layers tell it what they do.
  package let clock: PhaseClock?
  private let workers: OpaquePointer
  private let plans = Mutex<[ConvolutionPlan.Key: ConvolutionPlan]>([:])

  /// `convolutions`: for tests and benchmarks, which compare the methods.
  package init(
    threads: Int, convolutions: ConvolutionMethod? = nil, clock: PhaseClock? = nil
  ) {
    precondition(threads >= 1, "Execution needs at least one thread, got \(threads)")
    guard let workers = workers_create(Int32(clamping: threads)) else {
      endWithoutMemory(for: "\(threads) worker threads")
    }
    self.threads = threads
    convolutionMethod = convolutions
    self.workers = workers
    self.clock = clock
    memory = TensorMemory(workers: threads)
  }

  deinit { workers_destroy(workers) }

  /// Calls `body(i)` once for each `i` in `0..<count`, on any worker and in any order, and returns
  /// when all are done. Inside a body the iterations run one after another on that worker.
  package func parallel(_ count: Int, _ body: (Int) -> Void) {
    if threads == 1 || count <= 1 {
      for index in 0..<count { body(index) }
      return
    }
    // The closure outlives no call: `workers_run` returns only after its last iteration.
    withoutActuallyEscaping(body) { body in
      var loop = Loop(body: body)
      withUnsafeMutablePointer(to: &loop) { loop in
        workers_run(
          workers, count,
          { context, index in
            context?.assumingMemoryBound(to: Loop.self).pointee.body(index)
          }, loop)
      }
    }
  }

  /// Calls `body` with consecutive ranges that cover `0..<count`, in parallel; for loops whose
  /// iterations are independent, so the cut (four ranges a thread) cannot change a result.
  package func parallelRanges(_ count: Int, atLeast grain: Int = 1, _ body: (Range<Int>) -> Void) {
    let parts = max(1, min(threads * 4, count / max(1, grain)))
    parallel(parts) { part in
      body((count * part / parts)..<(count * (part + 1) / parts))
    }
  }

  /// The plan for `key`, made once and shared by all layers of the same geometry.
  func plan(_ key: ConvolutionPlan.Key) -> ConvolutionPlan {
    if let plan = plans.withLock({ $0[key] }) { return plan }
    let plan = ConvolutionPlan(key)
    return plans.withLock { plans in
      // Another thread may have made it meanwhile; every plan in use is kept here.
      if let first = plans[key] { return first }
      plans[key] = plan
      return plan
    }
  }

  private struct Loop {
    let body: (Int) -> Void
  }
}
