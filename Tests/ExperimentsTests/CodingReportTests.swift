import Datasets
import Distillation
import Experiments
import Foundation
import TeacherCache
import Testing

/// The figures that a cache reports against the losses that students are trained with.
struct CodingReportTests {
  @Test(arguments: [LogitCodec.fp16, .q8, .coarse])
  func theReportIsWhatTheLossesSay(codec: LogitCodec) throws {
    let job = try SmallJob(images: 24)
    defer { job.remove() }
    try job.dump { $0.form.taps = [] }
    try job.dump {
      $0.form.taps = []
      $0.form.logits = codec
      $0.cache = job.folder + "/coded"
    }
    let exact = try CacheReader.open(job.folder + "/cache")
    let coded = try CacheReader.open(job.folder + "/coded")
    // A long tail of 500 down to 5 images, as the report has it; β as in BKD's code.
    let counts = (0..<10).map { Int(500 * pow(0.01, Double($0) / 9)) }
    let weights = effectiveNumberWeights(counts: counts, beta: 0.9999)
    var errors: [[Double]] = [[], [], [], []]
    var flips = 0
    for key in exact.storedKeys() {
      let rows = try [exact, coded].map { try $0.read(image: key.image, view: key.view) }
      let teachers = rows.map { Matrix(rows: 1, columns: 10, floats: $0.logits) }
      // The student cancels out; any will do.
      let student = Matrix(rows: 1, columns: 10, values: (0..<10).map { Double($0) / 3 })
      func error(_ temperature: Double, _ target: (Matrix) -> Matrix) -> Double {
        let gradients = teachers.map {
          softenedDivergence(student, target: target($0), temperature: temperature).gradient.values
        }
        return zip(gradients[0], gradients[1]).reduce(0) { $0 + abs($1.0 - $1.1) }
      }
      for (index, temperature) in [1.0, 2, 4].enumerated() {
        errors[index].append(error(temperature) { softmax($0, temperature: temperature) })
      }
      errors[3].append(
        error(2) { balancedTarget(teacher: $0, classWeights: weights, temperature: 2) })
      let threshold = if case .strong = key.view { 0.2 } else { 0.9 }
      let masks = rows.map { Double($0.confidence) >= threshold }
      flips += masks[0] == masks[1] ? 0 : 1
    }
    let report = coded.info.codingError
    #expect(report.views == 24 * 4)
    #expect(report.maskFlips == flips)
    for (setting, found) in zip(CodingError.Setting.allCases, errors) {
      let (largest, mean) = (found.max() ?? 0, found.reduce(0, +) / Double(found.count))
      #expect(largest > 0)
      #expect(abs(report.largest(setting) - largest) < 1e-9, "\(setting)")
      #expect(abs(report.mean(setting) - mean) < 1e-9, "\(setting)")
    }
    let nothing = exact.info.codingError
    #expect(nothing.views == 24 * 4)
    #expect(CodingError.Setting.allCases.allSatisfy { nothing.largest($0) == 0 })
  }
}
