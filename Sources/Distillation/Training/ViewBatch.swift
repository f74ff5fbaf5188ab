package import Datasets
package import Tensors

/// The pixels of one view of each image of a batch, rendered once and shared by teacher and student.
package final class ViewBatch {
  package let keys: [ViewKey]
  /// Hash of each view's pixels: the replay proof.
  package let hashes: [UInt64]
  /// N×H×W×3 bytes before normalisation.
  private let pixels: [UInt8]
  private let height: Int
  private let width: Int

  package init(keys: [ViewKey], renderer: ViewRenderer, on execution: Execution) {
    let outer = execution.enter(.views)
    defer { execution.leave(outer) }
    self.keys = keys
    (height, width) = (renderer.images.height, renderer.images.width)
    let size = height * width * 3
    var hashes = [UInt64](repeating: 0, count: keys.count)
    pixels = [UInt8](unsafeUninitializedCapacity: keys.count * size) { pixels, count in
      hashes.withUnsafeMutableBufferPointer { hashes in
        // Each iteration writes its own views and their hashes.
        nonisolated(unsafe) let (pixels, hashes) = (pixels, hashes)
        let run = 8  // views that share one scratch image
        execution.parallel((keys.count + run - 1) / run) { part in
          var scratch = RenderScratch(imageBytes: size)
          for i in (part * run)..<min((part + 1) * run, keys.count) {
            let view = UnsafeMutableBufferPointer(rebasing: pixels[(i * size)..<((i + 1) * size)])
            hashes[i] = renderer.render(keys[i], into: view, scratch: &scratch)
          }
        }
      }
      count = keys.count * size
    }
    self.hashes = hashes
  }

  /// The network's input: N×H×W×3, normalised as that network wants it.
  package func images(_ normalization: Normalization, on execution: Execution) -> Tensor {
    let outer = execution.enter(.views)
    defer { execution.leave(outer) }
    let size = height * width * 3
    let tensor = Tensor([keys.count, height, width, 3], in: execution.memory)
    pixels.withUnsafeBufferPointer { pixels in
      nonisolated(unsafe) let (pixels, target) = (pixels, tensor.pointer)
      execution.parallel(keys.count) { i in
        normalization.apply(
          UnsafeBufferPointer(rebasing: pixels[(i * size)..<((i + 1) * size)]),
          into: target + i * size)
      }
    }
    return tensor
  }
}
