import Distillation
import Networks
import TeacherCache
import Tensors
import Testing

/// The loss of a stage, value and gradients, against the float64 reference; maps here are fp32.
@Suite(.enabled(if: Golden.isAvailable, "needs ../shared/golden/golden_losses.json"))
struct GoldenFeatureTests {
  private let golden: GoldenValue
  private let execution = Execution(threads: 1)
  private static let side = 2

  init() throws { golden = try Golden.load() }

  /// N×C×H×W, as the reference has maps, to N×H×W×C.
  private func map(_ value: GoldenValue, channels: Int) throws -> Tensor {
    let (values, area) = (try value.flattened, Self.side * Self.side)
    let images = values.count / (channels * area)
    var moved: [Float] = []
    for n in 0..<images {
      for place in 0..<area {
        for c in 0..<channels { moved.append(Float(values[(n * channels + c) * area + place])) }
      }
    }
    return Tensor(moved, shape: [images, Self.side, Self.side, channels])
  }

  private func matcher(channels: Int) throws -> FeatureMatcher {
    let shape = { (channels: Int) in
      TapShape(tap: "stage1", height: Self.side, width: Self.side, channels: channels)
    }
    return try FeatureMatcher(
      pair: FeaturePair(studentStage: 0, teacherTap: "stage1"), student: shape(channels),
      teacher: shape(3), seed: 0)
  }

  private func isNear(_ found: [Float], _ expected: [Double]) -> Bool {
    agree(found.map(Double.init), expected, tolerance: 1e-5)
  }

  @Test func theErrorIsTheMeanOverAllElements() throws {
    let expected = try golden["sskd_mse"]
    let (loss, gradient) = try matcher(channels: 3).loss(
      student: map(expected["student"], channels: 3),
      teacher: map(expected["teacher"], channels: 3), on: execution)
    #expect(agree([loss], [try expected["value"].number], tolerance: 1e-6))
    #expect(
      isNear(
        gradient.values,
        try map(expected["grad_student"], channels: 3).values.map(Double.init)))
  }

  @Test func anAdapterIsBatchNormOfAConvolution() throws {
    let expected = try golden["sskd_adapter"]
    let matcher = try matcher(channels: 2)
    let adapter = try #require(matcher.adapter)
    #expect(adapter.parameters.count == 3)
    for (parameter, key) in zip(adapter.parameters, ["W", "gamma", "beta"]) {
      parameter.setState(try expected[key].flattened.map(Float.init))
    }
    let (loss, gradient) = try matcher.loss(
      student: map(expected["student"], channels: 2),
      teacher: map(golden["sskd_mse"]["teacher"], channels: 3), on: execution)
    #expect(agree([loss], [try expected["value"].number], tolerance: 1e-6))
    #expect(
      isNear(
        gradient.values,
        try map(expected["grad_student"], channels: 2).values.map(Double.init)))
    for (parameter, key) in zip(adapter.parameters, ["grad_W", "grad_gamma", "grad_beta"]) {
      #expect(isNear(parameter.stateGradient(), try expected[key].flattened), "\(key)")
    }
    let statistics = adapter.buffers.filter { !$0.isInteger }
    for (buffer, key) in zip(statistics, ["running_mean_after", "running_var_after"]) {
      #expect(isNear(buffer.values, try expected[key].flattened), "\(key)")
    }
  }
}
