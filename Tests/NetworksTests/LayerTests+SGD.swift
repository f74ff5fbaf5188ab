import Networks
import Tensors
import TestSupport
import Testing

@Suite struct LayerTestsSGD {
  let execution = Execution(threads: 2)

  /// torch.optim.SGD in float64: w = [1, -2, 0.5], three steps with gradients [1, 2, 3]·(step + 1),
  /// lr 0.1, momentum 0.9, weight_decay 0.5:
  ///
  ///     w = torch.tensor([1., -2., .5], dtype=torch.float64, requires_grad=True)
  ///     o = torch.optim.SGD([w], 0.1, 0.9, weight_decay=0.5, nesterov=n)
  ///     for i in range(3): w.grad = torch.tensor([1., 2., 3.], dtype=w.dtype) * (i + 1); o.step()
  @Test(arguments: [
    (false, [Float(-0.190875), -3.30725, -2.4010625]),
    (true, [Float(-0.738562125), -4.00297475, -3.794342938]),
  ])
  func stepsLikePyTorch(nesterov: Bool, expected: [Float]) {
    let parameter = Parameter("w", .vector(3))
    parameter.setState([1, -2, 0.5])
    let sgd = SGD([parameter], momentum: 0.9, weightDecay: 0.5, nesterov: nesterov)
    #expect(sgd.state.isEmpty)
    for step in 1...3 {
      for (index, value) in [Float(1), 2, 3].enumerated() {
        parameter.gradient.pointer[index] = value * Float(step)
      }
      sgd.step(learningRate: 0.1, on: execution)
      #expect(parameter.stateGradient() == [0, 0, 0])
    }
    #expect(relativeError(parameter.stateValues(), expected) < 1e-6)
  }

  @Test func continuesFromItsStateAsIfNeverStopped() {
    func gradient(_ conv: Conv2D, _ step: Int) {
      for index in 0..<conv.weight.gradient.count {
        conv.weight.gradient.pointer[index] = conv.weight.value.pointer[index] * Float(step)
      }
    }
    let straight = Conv2D("c", in: 5, out: 21)
    let stopped = Conv2D("c", in: 5, out: 21)
    let initial = pattern(5 * 21 * 9, seed: 1)
    straight.weight.setState(initial)
    stopped.weight.setState(initial)
    let whole = SGD(straight.parameters, momentum: 0.9, weightDecay: 5e-4)
    let first = SGD(stopped.parameters, momentum: 0.9, weightDecay: 5e-4)
    for step in 1...2 {
      gradient(straight, step)
      whole.step(learningRate: 0.1, on: execution)
      gradient(stopped, step)
      first.step(learningRate: 0.1, on: execution)
    }
    #expect(first.state["c.weight"]?.count == initial.count)
    let second = SGD(stopped.parameters, momentum: 0.9, weightDecay: 5e-4)
    second.state = first.state
    gradient(straight, 3)
    whole.step(learningRate: 0.1, on: execution)
    gradient(stopped, 3)
    second.step(learningRate: 0.1, on: execution)
    #expect(sameBits(straight.weight.stateValues(), stopped.weight.stateValues()))
  }

  @Test("State-dict order survives the kernel layout", arguments: [1, 3, 21])
  func stateSurvivesTheKernelLayout(groups: Int) {
    let conv = Conv2D("c", in: 21, out: 42, groups: groups)
    let values = pattern(42 * 21 / groups * 9, seed: 3)
    conv.weight.setState(values)
    #expect(conv.weight.stateShape == [42, 21 / groups, 3, 3])
    #expect(sameBits(conv.weight.stateValues(), values))
  }

  @Test func fusedLayersGiveWhatSingleLayersGive() {
    let layers: [any Layer] = [
      Conv2D("c", in: 8, out: 24, padding: 1, bias: true), BatchNorm2D("n", 24), ReLU(),
    ]
    for (index, parameter) in layers.flatMap(\.parameters).enumerated() {
      parameter.setState(pattern(parameter.stateShape.reduce(1, *), seed: index))
    }
    layers[1].buffers[0].values = pattern(24, seed: 9)
    layers[1].buffers[1].values = pattern(24, seed: 10).map { $0 + 1.5 }
    let x = patternTensor([3, 5, 7, 8], seed: 7)
    let fused = Sequential(layers).forward(x, mode: .inference, on: execution)
    let single = layers.reduce(x) { $1.forward($0, mode: .inference, on: execution) }
    #expect(relativeError(fused.values, single.values) < 1e-6)
    #expect(fused.values.contains(0))
  }
}
