import Foundation
import Testing

/// `predict`, `export` and `report` on a run that the programs made.
@Suite(.serialized) struct OutputTests {
  private let scratch: Scratch
  private let run: String

  init() throws {
    scratch = try SmallCache.scratch()
    run = scratch.path + "/teacher"
  }

  private func student(_ arguments: String...) throws -> Program.Result {
    try Program.run("student-train", arguments)
  }

  private func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/\(name)")))
  }

  @Test func predictionsAreThoseThatEvalCounts() throws {
    let table = scratch.path + "/test.csv"
    let predicted = try student("predict", run, "--data", Program.digits, "--output", table)
    #expect(predicted.status == 0, "\(predicted.errors)")
    let rows = String(decoding: try bytes("test.csv"), as: UTF8.self).split(separator: "\n")
      .map { $0.split(separator: ",").map(String.init) }
    #expect(rows[0] == ["id", "label", "prediction", "confidence"])
    #expect(rows.count == 1001)
    #expect(rows.dropFirst().enumerated().allSatisfy { $0.element[0] == String($0.offset) })
    let right = rows.dropFirst().count { $0[1] == $0[2] }
    let evaluated = try Program.json(
      student("eval", run, "--data", Program.digits, "--json").output)
    #expect(evaluated["top1"] as? Double == Double(right) / 10)

    // The logits behind them, row by row.
    let logits = scratch.path + "/logits.npy"
    let written = try student(
      "predict", run + "/last.safetensors", "--data", Program.digits, "--output", logits)
    #expect(written.status == 0, "\(written.errors)")
    let file = try bytes("logits.npy")
    #expect(file.count == 128 + 1000 * 10 * 4)
    let header = String(decoding: file[10..<128], as: UTF8.self)
    #expect(header.contains("'<f4'") && header.contains("(1000, 10)"))
    let values = file[128...].withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    for (id, row) in rows.dropFirst().enumerated() {
      let z = values[(id * 10)..<(id * 10 + 10)]
      let largest = try #require(z.max())
      let p = 1 / z.reduce(0.0) { $0 + exp(Double($1 - largest)) }
      #expect(z.firstIndex(of: largest) == id * 10 + (Int(row[2]) ?? -1))
      #expect(abs(p - (Double(row[3]) ?? -1)) < 1e-5)
    }
  }

  @Test func theTrainingSplitHasTheTrainingImages() throws {
    let result = try student(
      "predict", run, "--data", Program.digits, "--split", "train", "--output",
      scratch.path + "/train.csv")
    #expect(result.status == 0, "\(result.errors)")
    #expect(try bytes("train.csv").split(separator: 10).count == 4001)
  }

  @Test func whatCannotBeWrittenIsRefused() throws {
    for name in ["test.npz", "test", "test.txt"] {
      let path = "\(scratch.path)/\(name)"
      let result = try student("predict", run, "--data", Program.digits, "--output", path)
      #expect(result.status == 64 && result.errors.contains(".npy"), "\(result.errors)")
      #expect(!FileManager.default.fileExists(atPath: path))
    }
    let weights = try bytes("teacher/last.safetensors")
    let itself = try student(
      "export", run + "/last.safetensors", "--onnx", run + "/last.safetensors")
    #expect(itself.status == 64 && itself.errors.contains(".onnx"), "\(itself.errors)")
    #expect(try bytes("teacher/last.safetensors") == weights)
    let absent = try student("export", scratch.path, "--onnx", scratch.path + "/a.onnx")
    #expect(absent.status == 66, "\(absent.errors)")
    let folder = try student("export", run, "--onnx", "/nonexistent/folder/a.onnx")
    #expect(folder.status == 73, "\(folder.errors)")
  }

  @Test func anExportSaysHowImagesAreNormalised() throws {
    let result = try student("export", run, "--onnx", scratch.path + "/student.onnx")
    #expect(result.status == 0, "\(result.errors)")
    let text = String(decoding: try bytes("student.onnx"), as: UTF8.self)
    for part in ["resnet8", "mnist", "0.1307,0.1307,0.1307", "0.3081,0.3081,0.3081"] {
      #expect(text.contains(part), "\(part)")
    }
  }

  @Test func runsAreReportedWithNothingButTheirFolders() throws {
    let dumped = try Program.run("teacher-dump", SmallCache.dump(scratch, views: "weak:2"))
    #expect(dumped.status == 0, "\(dumped.errors)")
    let kd = scratch.path + "/kd"
    let trained = try student(
      "--cache", scratch.path + "/cache", "--data", Program.digits, "--method", "kd", "--student",
      "resnet8", "--epochs", "2", "--milestones", "none", "--output", kd)
    #expect(trained.status == 0, "\(trained.errors)")
    let evaluation = try Program.json(String(decoding: bytes("kd/evaluation.json"), as: UTF8.self))
    #expect(evaluation["comparison"] != nil && evaluation["cost"] != nil)
    #expect((evaluation["cache"] as? [String: Any])?["codec"] as? String == "q8")
    #expect((evaluation["seen"] as? [Any])?.count == 8)  // two views of four images
    let own = try bytes("kd/report.html")
    for name in ["cache"] { try FileManager.default.removeItem(atPath: "\(scratch.path)/\(name)") }

    let again = try student("report", kd)
    #expect(again.status == 0, "\(again.errors)")
    #expect(try bytes("kd/report.html") == own)
    let both = try student("report", kd, run, "--output", scratch.path + "/both.html")
    #expect(both.status == 0 && both.output.contains("both.html"), "\(both.errors)")
    #expect(try bytes("both.html").count > own.count)

    let writer = open(scratch.path + "/both.html.partial", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    #expect(flock(writer, LOCK_EX | LOCK_NB) == 0)
    let busy = try student("report", kd, "--output", scratch.path + "/both.html")
    #expect(busy.status == 75 && busy.errors.contains("another process"), "\(busy.errors)")
    close(writer)

    let absent = try student("report", kd, scratch.path)
    #expect(absent.status == 66 && absent.errors.contains("config.yaml"), "\(absent.errors)")
    try Data("{}".utf8).write(to: URL(fileURLWithPath: kd + "/evaluation.json"))
    let damaged = try student("report", kd)
    #expect(damaged.status == 65 && damaged.errors.contains("evaluation.json"), "\(damaged.errors)")
  }
}
