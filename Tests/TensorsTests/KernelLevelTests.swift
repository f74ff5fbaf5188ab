import Tensors
import TestSupport
import Testing

@Suite struct KernelLevelTests {
  @Test func namesALevelAndRefusesUnknownOnes() {
    #expect(["avx512", "avx2", "baseline"].contains(KernelLevel.name))
    #expect(!KernelLevel.cap("mmx"))
  }

  /// In a process of its own, because the level is the process's.
  @Test("The fused levels give the same bits, the baseline the same numbers")
  func levelsAgree() async {
    await #expect(processExitsWith: .success) {
      let methods = [(ConvolutionMethod.direct, 2e-6), (.winograd, 1e-5)]
      let best = methods.map { LevelProbe.run($0.0) }
      precondition(KernelLevel.cap("avx2"))
      for ((method, _), best) in zip(methods, best) where KernelLevel.name == "avx2" {
        precondition(sameBits(LevelProbe.run(method), best), "AVX2 and the best level differ")
      }
      precondition(KernelLevel.cap("baseline") && KernelLevel.name == "baseline")
      for ((method, tolerance), best) in zip(methods, best) {
        let error = relativeError(LevelProbe.run(method), best.map(Double.init))
        precondition(error < tolerance, "the baseline differs by \(error)")
      }
    }
  }
}

/// Numbers from the kernels of convolutions (3×3, depthwise, 1×1, strided; bare and with what is done to
/// their sums), normalisation, pooling,
/// joining, squared errors and SGD.
enum LevelProbe {
  static func run(_ method: ConvolutionMethod) -> [Float] {
    let execution = Execution(threads: 2, convolutions: method)
    var random = SplitMix64(state: 11)
    var numbers: [Float] = []
    for (kernel, strides, groups) in [(3, 1, 1), (3, 1, 40), (1, 1, 1), (3, 2, 1), (3, 2, 40)] {
      let shape = ConvolutionShape(
        inputs: 40, outputs: 40, kernel: kernel, strides: strides, padding: kernel / 2,
        groups: groups)
      let x = Tensor(random.floats(3 * 6 * 9 * 40), shape: [3, 6, 9, 40])
      let weights = Tensor(
        random.floats(shape.weightCount).map { $0 * 0.1 }, shape: [shape.weightCount])
      let y = shape.forward(x, weights: weights, on: execution)
      let dx = shape.inputGradient(y, weights: weights, height: 6, width: 9, on: execution)
      let dw = Tensor.zeros([shape.weightCount], in: execution.memory)
      shape.addWeightGradient(x, y, to: dw, on: execution)
      numbers += y.values + dx.values + dw.values.map { $0 * 0.05 }
      let factor = Tensor(random.floats(padded(40)), shape: [padded(40)])
      let finish = ConvolutionFinish(
        scale: factor, shift: factor, addend: groups == 1 ? y : nil, rectify: true)
      numbers += shape.forward(x, weights: weights, finish: finish, on: execution).values
      let added = shape.inputGradient(
        y, weights: weights, height: 6, width: 9, finish: ConvolutionFinish(addend: x),
        on: execution)
      let channels = Tensor.zeros([padded(40)], in: execution.memory)
      addChannelSums(added, to: channels, on: execution)
      numbers += added.values + channels.values.map { $0 * 0.05 }
      guard strides == 1 else { continue }
      let (mean, deviation) = channelMoments(y, on: execution)
      let ones = Tensor([Float](repeating: 1, count: padded(40)), shape: [padded(40)])
      let factors = NormalizationFactors(
        mean: mean, variance: deviation.map { $0 / 162 }, weight: ones, bias: ones, epsilon: 1e-5,
        in: execution.memory)
      let z = factors.apply(y, addend: x, rectify: true, on: execution)
      let gradients = Tensor.zeros([padded(40)], in: execution.memory)
      let backward = NormalizationGradient(factors: factors, x: y, y: z, rectify: true)
      let dz = backward(x, weightGradient: gradients, biasGradient: gradients, on: execution)
      numbers += z.values + dz.input.values
      for kind in [Pooling.Kind.maximum, .average] {
        let pooling = Pooling(kind, kernel: 3, strides: 2)
        let pooled = pooling.forward(z, on: execution)
        numbers += pooled.values
        numbers += pooling.inputGradient(pooled, shape: z.shape, x: z, on: execution).values
      }
      let (error, slope) = meanSquaredError(z, x, on: execution)
      numbers += [Float(error)] + slope.values
      let step = SGDStep(learningRate: 0.1, momentum: 0.9, weightDecay: 5e-4, nesterov: true)
      let (value, buffer) = (Tensor(z.values, shape: z.shape), Tensor(x.values, shape: x.shape))
      step.apply(
        value: value, gradient: Tensor(y.values, shape: y.shape), buffer: buffer, isFirst: false,
        on: execution)
      numbers += value.values + buffer.values
      numbers += globalAverage(z, on: execution).values
      let joined = concatenated(y, interleaved(x, z, on: execution), rectify: true, on: execution)
      numbers += shuffled(joined, groups: 3, on: execution).values
      let (first, second) = separated(joined, first: 80, output: joined, on: execution)
      numbers += first.values + deinterleaved(low: second, high: y, on: execution).0.values
    }
    return numbers
  }
}
