import Distillation
import Networks
import TeacherCache
import Tensors
import Testing

/// Adapters between taps of other shapes, with channels that fill no block of 16.
@Suite struct FeatureMatcherTests {
  private let execution = Execution(threads: 1)

  private static func tap(_ side: Int, _ channels: Int) -> TapShape {
    TapShape(tap: "stage1", height: side, width: side, channels: channels)
  }

  private func matcher(student: TapShape, teacher: TapShape) throws -> FeatureMatcher {
    try FeatureMatcher(
      pair: FeaturePair(studentStage: 0, teacherTap: "stage1"), student: student,
      teacher: teacher, seed: 3)
  }

  private func tensor(_ shape: TapShape, seed: UInt64) -> Tensor {
    var random = RandomStream(key: seed, stream: (0, 0, 0))
    let values = (0..<2 * shape.count).map { _ in Float(random.normal()) }
    return Tensor(values, shape: [2, shape.height, shape.width, shape.channels])
  }

  /// The kernels of mdistiller's ConvReg, and the bound of PyTorch's first weights: 1/√fan_in, where
  /// a transposed convolution counts its outputs.
  @Test(arguments: [
    (4, 4, [20, 12, 1, 1], 12.0), (8, 4, [20, 12, 3, 3], 108), (4, 8, [12, 20, 4, 4], 320),
  ])
  func adaptersJoinShapesWithFreshWeights(
    _ studentSide: Int, _ teacherSide: Int, _ weightShape: [Int], _ fanIn: Double
  ) throws {
    let (student, teacher) = (Self.tap(studentSide, 12), Self.tap(teacherSide, 20))
    let matcher = try matcher(student: student, teacher: teacher)
    let weight = try #require(matcher.adapter?.parameters.first)
    #expect(weight.stateShape == weightShape)
    let largest = weight.stateValues().reduce(0) { max($0, abs(Double($1))) }
    #expect(largest <= 1 / fanIn.squareRoot() && largest > 0.9 / fanIn.squareRoot())

    let (x, y) = (tensor(student, seed: 1), tensor(teacher, seed: 2))
    let gradient = matcher.loss(student: x, teacher: y, on: execution).gradient.values
    for index in stride(from: 0, to: x.count, by: x.count / 7) {
      func loss(_ delta: Float) -> Double {
        var values = x.values
        values[index] += delta
        return matcher.loss(student: Tensor(values, shape: x.shape), teacher: y, on: execution)
          .loss
      }
      let slope = (loss(1 / 64) - loss(-1 / 64)) * 32
      #expect(abs(slope - Double(gradient[index])) < 1e-4)
    }
  }

  @Test func sidesThatDifferOtherwiseAreRefused() throws {
    #expect(try matcher(student: Self.tap(4, 20), teacher: Self.tap(4, 20)).adapter == nil)
    #expect(throws: PlanError.self) {
      try matcher(student: Self.tap(7, 12), teacher: Self.tap(4, 20))
    }
  }
}
