import CKernels

/// The mean over all elements of (student − teacher)², and its gradient at `student`, 2(s − t)/count.
///
/// Sums runs of 4096 elements, then these in order: the same bits for any thread count.
package func meanSquaredError(
  _ student: Tensor, _ teacher: Tensor, on execution: Execution
) -> (loss: Double, gradient: Tensor) {
  let outer = execution.enter(.loss)
  defer { execution.leave(outer) }
  precondition(
    student.shape == teacher.shape, "student \(student.shape) against teacher \(teacher.shape)")
  let (count, run) = (student.count, 4096)
  let gradient = Tensor(student.shape, in: execution.memory)
  guard count > 0 else { return (0, gradient) }
  let runs = (count + run - 1) / run
  var sums = [Double](repeating: 0, count: runs)
  sums.withUnsafeMutableBufferPointer { sums in
    // Each iteration writes its own element only.
    nonisolated(unsafe) let sums = sums
    execution.parallel(runs) { index in
      let first = index * run
      sums[index] = squared_error(
        student.pointer + first, teacher.pointer + first, gradient.pointer + first,
        2 / Float(count), min(run, count - first))
    }
  }
  return (sums.reduce(0, +) / Double(count), gradient)
}
