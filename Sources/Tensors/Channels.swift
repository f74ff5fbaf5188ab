import CKernels

/// Two images N×H×W×n as one of 2n channels, in which theirs alternate: channel 2c is c of the first,
/// 2c + 1 of the second. That is a shuffle of their concatenation with two groups (arXiv 1807.11164).
package func interleaved(_ a: Tensor, _ b: Tensor, on execution: Execution) -> Tensor {
  let n = alternating(a, b)
  let y = Tensor(Array(a.shape.dropLast()) + [2 * n], in: execution.memory)
  move((a, b), (y.pointer, y.pointer + n), stride: 2 * n, interleave, on: execution)
  return y
}

/// The two images that `interleaved` joins to `y`.
package func deinterleaved(_ y: Tensor, on execution: Execution) -> (Tensor, Tensor) {
  let n = y.shape[y.shape.count - 1] / 2
  let shape = Array(y.shape.dropLast()) + [n]
  let (a, b) = (Tensor(shape, in: execution.memory), Tensor(shape, in: execution.memory))
  precondition(alternating(a, b) * 2 == y.shape.last, "\(y.shape) has no two halves")
  move((a, b), (y.pointer, y.pointer + n), stride: 2 * n, deinterleave, on: execution)
  return (a, b)
}

/// The lower and the upper half of the channels of `interleaved(a, b)`, N×H×W×n each; n is even.
package func interleavedHalves(
  _ a: Tensor, _ b: Tensor, on execution: Execution
) -> (low: Tensor, high: Tensor) {
  let n = alternating(a, b)
  let (low, high) = (Tensor(a.shape, in: execution.memory), Tensor(a.shape, in: execution.memory))
  move((a, b), (low.pointer, high.pointer), stride: n, interleave, on: execution)
  return (low, high)
}

/// The two images whose `interleavedHalves` are given.
package func deinterleaved(
  low: Tensor, high: Tensor, on execution: Execution
) -> (Tensor, Tensor) {
  let (a, b) = (Tensor(low.shape, in: execution.memory), Tensor(low.shape, in: execution.memory))
  move(
    (a, b), (low.pointer, high.pointer), stride: alternating(low, high), deinterleave, on: execution
  )
  return (a, b)
}

/// The channels of two images of equal shape, which alternate in a third.
private func alternating(_ a: Tensor, _ b: Tensor) -> Int {
  precondition(
    a.shape == b.shape && a.shape.count == 4 && a.shape[3] % 2 == 0,
    "images of equal shape and even channels can alternate, not \(a.shape) and \(b.shape)")
  return a.shape[3]
}

private func move(
  _ images: (Tensor, Tensor),
  _ halves: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>), stride: Int,
  _ kernel: (UnsafePointer<interleave_job>) -> Void, on execution: Execution
) {
  let outer = execution.enter(.elementwise)
  defer { execution.leave(outer) }
  let n = images.0.shape[3]
  execution.parallelRanges(images.0.count / n, atLeast: grain / n) { range in
    var job = interleave_job()
    job.first = images.0.pointer + range.lowerBound * n
    job.second = images.1.pointer + range.lowerBound * n
    job.low = halves.0 + range.lowerBound * stride
    job.high = halves.1 + range.lowerBound * stride
    job.stride = stride
    job.pixels = range.count
    job.channels = n
    kernel(&job)
  }
}

/// The channels in another order: c of group k becomes c · groups + k. With C / groups in place of
/// `groups` it is undone.
package func shuffled(_ x: Tensor, groups: Int, on execution: Execution) -> Tensor {
  let channels = x.shape[x.shape.count - 1]
  precondition(
    groups > 0 && channels % groups == 0, "\(groups) groups do not divide \(channels) channels")
  let outer = execution.enter(.elementwise)
  defer { execution.leave(outer) }
  let y = Tensor(x.shape, in: execution.memory)
  execution.parallelRanges(x.count / channels, atLeast: grain / channels) { range in
    let first = range.lowerBound * channels
    shuffle_channels(x.pointer + first, range.count, channels, groups, y.pointer + first)
  }
  return y
}

/// Two images N×H×W×m and N×H×W×n as one of m + n channels, rectified if wanted.
package func concatenated(
  _ a: Tensor, _ b: Tensor, rectify: Bool, on execution: Execution
) -> Tensor {
  let pixels = Array(a.shape.dropLast())
  precondition(
    pixels == Array(b.shape.dropLast()), "cannot put \(b.shape) beside \(a.shape)")
  let (m, n) = (a.shape[pixels.count], b.shape[pixels.count])
  let y = Tensor(pixels + [m + n], in: execution.memory)
  join((a, b), y, on: execution) { job, _ in
    job.rectify = rectify ? 1 : 0
    join_channels(&job)
  }
  return y
}

/// The gradients at the two images of `concatenated`, the first of `m` channels.
///
/// - Parameter y: the concatenation, where it was rectified.
package func separated(
  _ gradient: Tensor, first m: Int, output y: Tensor?, on execution: Execution
) -> (Tensor, Tensor) {
  let pixels = Array(gradient.shape.dropLast())
  let n = gradient.shape[pixels.count] - m
  precondition(m > 0 && n > 0, "\(gradient.shape) does not hold \(m) channels and more")
  let a = Tensor(pixels + [m], in: execution.memory)
  let b = Tensor(pixels + [n], in: execution.memory)
  join((a, b), gradient, on: execution) { job, first in
    job.y = y.map { UnsafePointer($0.pointer + first) }
    separate_channels(&job)
  }
  return (a, b)
}

/// Calls `body` with each part of the two images and their concatenation, and with the part's first
/// element in the latter.
private func join(
  _ images: (Tensor, Tensor), _ joined: Tensor, on execution: Execution,
  _ body: (inout join_job, Int) -> Void
) {
  let outer = execution.enter(.elementwise)
  defer { execution.leave(outer) }
  let last = joined.shape.count - 1
  let (m, n) = (images.0.shape[last], images.1.shape[last])
  execution.parallelRanges(joined.count / (m + n), atLeast: grain / (m + n)) { range in
    var job = join_job()
    job.first = images.0.pointer + range.lowerBound * m
    job.second = images.1.pointer + range.lowerBound * n
    job.joined = joined.pointer + range.lowerBound * (m + n)
    job.pixels = range.count
    job.first_channels = m
    job.second_channels = n
    body(&job, range.lowerBound * (m + n))
  }
}
