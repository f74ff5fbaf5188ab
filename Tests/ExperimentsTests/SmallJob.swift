import Datasets
import Distillation
import Experiments
import Foundation
import Networks
import Reporting
import TeacherCache
import Tensors
import TestSupport
import Testing

/// The bytes of a weight file. A type of its own, because a failed comparison of two long collections
/// would spend minutes on describing their difference.
struct Weights: Equatable {
  let bytes: Data
}

/// The main job on a few images, embedded digits or others: a small teacher, its cache, a run of a
/// student.
struct SmallJob {
  let folder: String
  let dataset: DatasetName
  let data: String
  let teacher: String
  let subset: String
  static let data = Files.digits

  /// - Parameter data: the folder with the data set's files.
  init(images: Int = 96, dataset: DatasetName = .mnist, data: String = SmallJob.data) throws {
    self.dataset = dataset
    self.data = data
    folder =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("small-job-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
    teacher = folder + "/teacher.safetensors"
    subset = "list:\(folder)/images.txt"
    // Every 13th image: not the first ones, not in a row.
    let ids = (0..<images).map { String($0 * 13) }.joined(separator: "\n")
    try Data(ids.utf8).write(to: URL(fileURLWithPath: folder + "/images.txt"))
    try untrainedTeacher(seed: 99).state(metadata: [
      "architecture": "resnet8", "mean": "0.2,0.2,0.2", "std": "0.3,0.3,0.3", "format": "pt",
    ]).write(to: teacher)
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  /// Stores fp32 logits and features of every view, so that nothing is lost.
  @discardableResult
  func dump(
    views: String = "weak:2,strong:2", features: String? = nil, threads: Int = 2,
    change: (inout DumpRequest) -> Void = { _ in }, shouldStop: () -> Bool = { false }
  ) throws -> DumpReport {
    var request = DumpRequest(
      dataset: dataset, dataPath: data, teacher: teacher,
      views: try ViewSet(parsing: views), cache: folder + "/cache")
    request.subset = try Subset(parsing: subset)
    request.form.logits = .fp32
    request.form.taps = ["stage1", "stage2", "stage3"]
    request.form.featureViews = try ViewSet(parsing: features ?? "weak:2")
    request.form.featurePrecision = .fp32
    change(&request)
    let session = try DumpSession(request, on: Execution(threads: threads))
    return try session.run(progress: ProgressLine(quiet: true), shouldStop: shouldStop)
  }

  func session(
    _ method: String, live: Bool, execution: Execution, epochs: Int = 2, sets: [String] = [],
    flags: [(key: String, value: String)] = [], into name: String? = nil
  ) throws -> TrainingSession {
    // The later ones win.
    var flags =
      [
        ("method", method), ("student", "resnet8"), ("epochs", String(epochs)),
        ("batch_size", "32"), ("lr", "0.02"), ("subset", subset), ("eval_every", "1000"),
      ] + flags
    if live {
      flags += [("dataset", dataset.rawValue)]
      if !flags.contains(where: { $0.key == "views" }) {
        flags += [("views", method == "crld" ? "weak:2,strong:2" : "weak:2")]
      }
    }
    let choice: TeacherChoice =
      live
      ? .live(teacher, architecture: nil, mean: nil, std: nil) : .cache(folder + "/cache")
    return try TrainingSession(
      teacher: choice, dataPath: data, initialWeights: nil, flags: flags, sets: sets,
      recipe: nil, execution: execution, output: name.map { "\(folder)/\($0)" })
  }

  /// Trains that many steps and stops, as a signal stops a run; every tenth of the test set, where it
  /// is evaluated, counts as a step.
  func stop(
    after steps: Int, _ method: String, into name: String, epochs: Int = 2, sets: [String] = [],
    flags: [(key: String, value: String)] = []
  ) {
    var done = 0
    #expect(throws: Stopped.self) {
      try train(
        method, live: false, threads: 2, into: name, epochs: epochs, sets: sets, flags: flags
      ) {
        done += 1
        return done == steps
      }
    }
  }

  /// Trains and gives last.safetensors.
  @discardableResult
  func train(
    _ method: String, live: Bool, threads: Int, into name: String, epochs: Int = 2,
    sets: [String] = [], flags: [(key: String, value: String)] = [],
    shouldStop: () -> Bool = { false }
  ) throws -> Weights {
    let execution = Execution(threads: threads)
    let session = try session(
      method, live: live, execution: execution, epochs: epochs, sets: sets, flags: flags,
      into: name)
    let directory = try RunDirectory(
      "\(folder)/\(name)", configuration: session.configuration)
    let run = try TrainingRun(
      session, directory: directory, execution: execution, progress: ProgressLine(quiet: true))
    _ = try run.train(shouldStop: shouldStop)
    return Weights(bytes: try Data(contentsOf: URL(fileURLWithPath: directory.lastWeights)))
  }

  func text(_ path: String) throws -> String {
    try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8)
  }
}
