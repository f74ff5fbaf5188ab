/// A dense fp32 array: N×H×W×C images and features, N×C logits, or a parameter.
///
/// Copies of the struct share the storage; it goes back to its `TensorMemory` with the last copy.
/// `@unchecked`: whoever makes a tensor fills it before handing it on; after that it is only read, or
/// changed by its one owner between loops, as parameters, gradients and statistics are.
package struct Tensor: @unchecked Sendable {
  package let shape: [Int]
  /// The number of elements.
  package let count: Int
  private let storage: Storage

  /// A tensor whose contents are undefined.
  package init(_ shape: [Int], in memory: TensorMemory) {
    let count = Tensor.count(shape)
    self.shape = shape
    self.count = count
    storage = Storage(memory.take(bytes: count * 4), memory)
  }

  /// A tensor of zeros.
  package static func zeros(_ shape: [Int], in memory: TensorMemory) -> Tensor {
    let tensor = Tensor(shape, in: memory)
    tensor.pointer.update(repeating: 0, count: tensor.count)
    return tensor
  }

  /// A tensor with these values, in memory of its own.
  package init(_ values: [Float], shape: [Int]) {
    let count = Tensor.count(shape)
    precondition(
      values.count == count, "\(values.count) values do not fill shape \(shape) of \(count)")
    self.shape = shape
    self.count = count
    storage = Storage(TensorMemory.Block(size: TensorMemory.sizeClass(count * 4)), nil)
    values.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { pointer.update(from: start, count: count) }
    }
  }

  private init(shape: [Int], count: Int, storage: Storage) {
    self.shape = shape
    self.count = count
    self.storage = storage
  }

  /// The first element, 64-byte aligned; valid as long as a copy of the tensor lives.
  package var pointer: UnsafeMutablePointer<Float> { storage.pointer }

  /// A copy of all elements.
  package var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

  /// Whether no element is infinite or NaN.
  package var isFinite: Bool {
    // x − x is 0, or NaN for what is not finite, and a NaN stays in the sum.
    var sums = SIMD16<Float>.zero
    let whole = count - count % 16
    for start in stride(from: 0, to: whole, by: 16) {
      let x = UnsafeRawPointer(pointer + start).loadUnaligned(as: SIMD16<Float>.self)
      sums += x - x
    }
    return sums.sum() == 0 && (whole..<count).allSatisfy { pointer[$0].isFinite }
  }

  /// The same elements, in shared storage, under another shape of equal count.
  package func reshaped(_ shape: [Int]) -> Tensor {
    precondition(
      Tensor.count(shape) == count, "shape \(self.shape) cannot be seen as \(shape)")
    return Tensor(shape: shape, count: count, storage: storage)
  }

  private static func count(_ shape: [Int]) -> Int {
    var count = 1
    for size in shape {
      precondition(size >= 0, "a shape has no negative sizes: \(shape)")
      count *= size
    }
    return count
  }

  private final class Storage {
    let block: TensorMemory.Block
    let memory: TensorMemory?
    let pointer: UnsafeMutablePointer<Float>

    init(_ block: TensorMemory.Block, _ memory: TensorMemory?) {
      self.block = block
      self.memory = memory
      pointer = block.start.assumingMemoryBound(to: Float.self)
    }

    deinit {
      if let memory { memory.give(block) } else { block.deallocate() }
    }
  }
}
