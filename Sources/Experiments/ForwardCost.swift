import Networks
import Tensors

/// What a network's forward pass costs, a view.
struct ForwardCost {
  let seconds: Double
  /// Of convolutions and classifier.
  let multiplyAdds: Double

  /// Times a network in inference mode.
  ///
  /// - Parameter images: N×H×W×3.
  init(of network: Classifier, on images: Tensor, threads: Int) {
    let clock = PhaseClock()
    let execution = Execution(threads: threads, clock: clock)
    var (best, passes) = (Double.infinity, 0)
    let begin = ContinuousClock.now
    // The fastest of several passes: another process may take the processor in any of them.
    repeat {
      let start = ContinuousClock.now
      _ = network.infer(images, on: execution)
      best = min(best, (ContinuousClock.now - start).seconds)
      passes += 1
    } while (ContinuousClock.now - begin).seconds < 0.2
    let sum = clock.read().values.reduce(0) { $0 + $1.multiplyAdds }
    seconds = best / Double(images.shape[0])
    multiplyAdds = Double(sum) / Double(passes * images.shape[0])
  }
}
