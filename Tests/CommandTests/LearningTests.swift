import Foundation
import Testing

/// Whether a student learns at all: a comparison of two ways through the program cannot see a mistake
/// that both make.
struct LearningTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Accuracy on the test digits, and the loss of each epoch.
  private func train(_ output: String, _ arguments: [String]) throws -> (
    top1: Double, losses: [Double]
  ) {
    let result = try Program.run(
      "student-train",
      [
        "--data", Program.digits, "--student", "resnet8", "--epochs", "3", "--batch-size", "32",
        "--lr", "0.05", "--lr-decay", "0.1", "--milestones", "2", "--warmup-epochs", "0",
        "--eval-every", "3", "--output", "\(scratch.path)/\(output)",
      ] + arguments)
    try #require(result.status == 0, "\(result.errors)")
    let top1 = try #require(try Program.json(result.output)["test_top1_last"] as? Double)
    let metrics = try String(
      contentsOfFile: "\(scratch.path)/\(output)/metrics.jsonl", encoding: .utf8)
    let losses = try metrics.split(separator: "\n").map {
      try #require(try Program.json(String($0))["loss"] as? Double)
    }
    return (top1, losses)
  }

  /// A linear classifier of all of MNIST reaches 88 % (LeCun et al. 1998).
  @Test func labelsAndATeachersLogitsAloneAreLearnt() throws {
    let images = ["--dataset", "mnist"]
    let teacher = try train("teacher", images + ["--method", "ce"])
    #expect(teacher.top1 > 88)
    #expect(
      teacher.losses.count == 3 && teacher.losses[2] < teacher.losses[0] / 3, "\(teacher.losses)")

    let cache = scratch.path + "/cache"
    let dumped = try Program.run(
      "teacher-dump",
      images + [
        "--data", Program.digits, "--teacher", scratch.path + "/teacher/last.safetensors",
        "--views", "weak:2", "--cache", cache,
      ])
    try #require(dumped.status == 0, "\(dumped.errors)")
    // No label is looked at: what is learnt came with the logits of each image.
    let student = try train(
      "student", ["--method", "kd", "--cache", cache, "--set", "kd.ce_weight=0"])
    #expect(student.top1 > 88)
    #expect(student.losses[2] < student.losses[0] / 3, "\(student.losses)")
  }
}
