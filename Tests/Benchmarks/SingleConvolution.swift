import Reporting
import Tensors

/// The three passes of one convolution, in true GF/s: taps on zero padding do not count.
struct SingleConvolution {
  private let job: Job
  private let shape: ConvolutionShape
  private let side: Int

  init(_ job: Job) throws {
    self.job = job
    guard let wanted = job.convolution else {
      throw JobError(description: "convolution: no shape")
    }
    shape = ConvolutionShape(
      inputs: wanted.inputs, outputs: wanted.outputs, kernel: wanted.kernel,
      strides: wanted.strides, padding: wanted.kernel / 2, groups: wanted.groups)
    side = wanted.size
  }

  func measure() throws {
    let execution = Execution(threads: job.threads)
    var random = RandomStream(key: 1, stream: (0, 0, 0))
    func tensor(_ sizes: [Int], scale: Double = 1) -> Tensor {
      Tensor(
        (0..<sizes.reduce(1, *)).map { _ in Float(scale * random.normal()) }, shape: sizes)
    }
    let out = shape.outputSize(side)
    let x = tensor([job.batch, side, side, shape.inputs])
    let gradient = tensor([job.batch, out, out, shape.outputs])
    let weights = tensor([shape.weightCount], scale: 0.1)
    let weightGradient = Tensor.zeros([shape.weightCount], in: execution.memory)
    let operations = 2 * Double(shape.multiplyAdds(x.shape))
    func speed(_ pass: () -> Void) -> JSONValue {
      .number(operations / median(stopwatch(seconds: job.seconds / 3, pass)) * 1e-9)
    }
    let forward = { _ = shape.forward(x, weights: weights, on: execution) }
    let inputGradient = {
      _ = shape.inputGradient(
        gradient, weights: weights, height: side, width: side, on: execution)
    }
    let addWeightGradient = {
      shape.addWeightGradient(x, gradient, to: weightGradient, on: execution)
    }
    for pass in [forward, inputGradient, addWeightGradient] { pass() }
    serve {
      [
        ("forward", speed(forward)), ("input_gradient", speed(inputGradient)),
        ("weight_gradient", speed(addWeightGradient)),
      ]
    }
  }
}
