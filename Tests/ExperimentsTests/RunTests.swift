import Datasets
import Distillation
import Experiments
import Foundation
import Reporting
import TeacherCache
import Tensors
import Testing

/// Run directories: what they hold, how they go on, what they refuse.
struct RunTests {
  @Test func anEpochsLineHasEveryField() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    try job.train("sskd", live: false, threads: 2, into: "run", epochs: 4)
    let lines = try job.text("run/metrics.jsonl").split(separator: "\n").map { line in
      try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    #expect(lines.count == 4)
    for (i, line) in lines.enumerated() {
      #expect(line["epoch"] as? Int == i + 1)
      let terms = ["mse", "ce"].compactMap { line[$0] as? Double }
      #expect(abs(terms.reduce(0, +) - (try #require(line["loss"] as? Double))) < 1e-9)
      for key in [
        "lr", "train_top1", "test_top1", "test_top5", "images_per_second", "cache_wait_fraction",
      ] { #expect(line[key] != nil, "\(key)") }
    }
    #expect(lines[0]["test_top1"] is NSNull)  // before the head is trained
    #expect(lines[0]["ce"] is NSNull)
    #expect(lines[3]["test_top1"] is Double)
    let summary = try #require(
      JSONSerialization.jsonObject(with: Data(job.text("run/summary.json").utf8))
        as? [String: Any])
    #expect(summary["parameters"] as? Int == 78_042)  // resnet8 with ten classes
    #expect(summary["few_top1"] is Double)
    #expect(summary["many_top1"] is NSNull)
    #expect((summary["cache_id"] as? String)?.count == 16)
  }

  @Test func anotherConfigurationIsRefusedNamingTheField() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    try job.train("kd", live: false, threads: 2, into: "run")
    #expect {
      try job.train("kd", live: false, threads: 2, into: "run", sets: ["kd.kd_weight=0.5"])
    } throws: { error in
      let error = error as? RunError
      return error?.kind == .otherConfiguration
        && error?.description.contains("kd.kd_weight = 0.9") == true
    }
  }

  /// As on read-only media: nothing is written, not even a lock.
  @Test func aFinishedRunNeedsNoLock() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    try job.train("kd", live: false, threads: 2, into: "run")
    let lock = job.folder + "/run/.lock"
    try FileManager.default.removeItem(atPath: lock)
    try FileManager.default.createDirectory(atPath: lock, withIntermediateDirectories: false)
    let session = try job.session("kd", live: false, execution: Execution(threads: 1))
    let directory = try RunDirectory(job.folder + "/run", configuration: session.configuration)
    guard case .finished = directory.progress else {
      Issue.record("not finished")
      return
    }
  }

  /// Weights that somebody keeps there, or a run whose config.yaml was lost.
  @Test(arguments: ["last.safetensors", "metrics.jsonl", "report.html", "state.safetensors"])
  func aFolderWithFilesOfAnUnknownRunIsLeftAlone(name: String) throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    let folder = job.folder + "/run"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try Data("precious".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    #expect {
      try job.train("kd", live: false, threads: 1, into: "run")
    } throws: {
      ($0 as? RunError)?.kind == .cannotCreate && "\($0)".contains(name)
    }
    #expect(try job.text("run/" + name) == "precious")
  }

  @Test func aFinishedRunHasItsWeights() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    try job.train("kd", live: false, threads: 2, into: "run")
    try FileManager.default.removeItem(atPath: job.folder + "/run/last.safetensors")
    #expect {
      try job.train("kd", live: false, threads: 2, into: "run")
    } throws: {
      ($0 as? RunError)?.kind == .malformed && "\($0)".contains("last.safetensors")
    }
  }

  /// The same command goes on with the images that it began with, also when its cache holds more.
  @Test func aRunKeepsItsImagesWhenItsCacheGrows() throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    let part = try job.text("images.txt").split(separator: "\n").prefix(64)
    try Data(part.joined(separator: "\n").utf8)
      .write(to: URL(fileURLWithPath: job.folder + "/part.txt"))
    let subset = try Subset(parsing: "list:\(job.folder)/part.txt")
    try job.dump { $0.subset = subset }
    let all = [(key: "subset", value: "all")]
    let whole = try job.train("kd", live: false, threads: 2, into: "whole", flags: all)
    job.stop(after: 3, "kd", into: "run", flags: all)
    try job.dump()
    #expect(try job.train("kd", live: false, threads: 2, into: "run", flags: all) == whole)
    // A finished one is left alone, and a new one takes all there are.
    let session = try job.session(
      "kd", live: false, execution: Execution(threads: 1), flags: all, into: "whole")
    let directory = try RunDirectory(job.folder + "/whole", configuration: session.configuration)
    guard case .finished = directory.progress else {
      Issue.record("not finished")
      return
    }
    let fresh = try job.session(
      "kd", live: false, execution: Execution(threads: 1), flags: all, into: "fresh")
    #expect(fresh.inputs.images.count == 80)
  }

  @Test func aNetworkThatAnswersNoNumbersIsADivergence() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    let flags = [(key: "lr", value: "1e20"), (key: "batch_size", value: "64")]
    #expect {
      try job.train("ce", live: true, threads: 2, into: "run", epochs: 1, flags: flags)
    } throws: {
      $0 is Divergence && "\($0)".contains("not finite") && "\($0)".contains("step 1")
    }
    #expect(!FileManager.default.fileExists(atPath: job.folder + "/run/summary.json"))
  }

  @Test func aListOfImagesIsItsImagesNotItsPath() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    try job.train("kd", live: false, threads: 2, into: "run")
    let ids = try job.text("images.txt")
    let other = job.folder + "/other.txt"
    func directory() throws -> RunDirectory {
      let session = try job.session(
        "kd", live: false, execution: Execution(threads: 1), flags: [("subset", "list:" + other)],
        into: "run")
      return try RunDirectory(job.folder + "/run", configuration: session.configuration)
    }
    try Data(ids.utf8).write(to: URL(fileURLWithPath: other))
    guard case .finished = try directory().progress else {
      Issue.record("not finished")
      return
    }
    try Data(ids.split(separator: "\n").dropLast().joined(separator: "\n").utf8)
      .write(to: URL(fileURLWithPath: other))
    #expect {
      try directory()
    } throws: {
      ($0 as? RunError)?.description.contains("image_ids") == true
    }
  }

  @Test func aDamagedLineOfMetricsIsNamed() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    let session = try job.session("kd", live: false, execution: Execution(threads: 1))
    let directory = try RunDirectory(job.folder + "/run", configuration: session.configuration)
    try Data("{\"epoch\": 1}\n{\"epoch\": \n".utf8)
      .write(to: URL(fileURLWithPath: job.folder + "/run/metrics.jsonl"))
    #expect {
      try directory.metrics()
    } throws: { error in
      let error = error as? RunError
      return error?.kind == .malformed && error?.description.contains("line 2") == true
    }
  }

  @Test func twoRunsInOneDirectoryAreRefused() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    let session = try job.session("kd", live: false, execution: Execution(threads: 1))
    let first = try RunDirectory(job.folder + "/run", configuration: session.configuration)
    #expect {
      try RunDirectory(job.folder + "/run", configuration: session.configuration)
    } throws: {
      ($0 as? RunError)?.kind == .locked
    }
    withExtendedLifetime(first) {}
  }

  @Test func viewsThatTheCacheLacksAreNamedWithTheCommandThatAddsThem() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump(views: "weak:2", features: "weak:1") { $0.form.taps = ["stage1"] }
    let execution = Execution(threads: 1)
    #expect {
      try job.session("crld", live: false, execution: execution)
    } throws: { error in
      let text = (error as? MissingFromCache)?.description ?? ""
      return text.contains("--views weak:2,strong:") && text.contains("--logits fp32")
    }
    #expect {
      try job.session("sskd", live: false, execution: execution)
    } throws: { error in
      let text = (error as? MissingFromCache)?.description ?? ""
      return text.contains("--features stage1,stage2,stage3")
    }
  }

  /// The command asks for features of views whose logits it asks for, as dump wants it.
  @Test func featuresBesideAllCropsAreAskedForWithTheirRounds() throws {
    let job = try SmallJob(images: 8)
    defer { job.remove() }
    try job.dump(views: "weak:all") { $0.form.taps = [] }
    let execution = Execution(threads: 1)
    #expect {
      try job.session("sskd", live: false, execution: execution, epochs: 4)
    } throws: { error in
      let text = (error as? MissingFromCache)?.description ?? ""
      return text.contains("--views weak:1,weak:all") && text.contains("--feature-views weak:1")
    }
    try job.dump(views: "weak:1,weak:all", features: "weak:1")
    _ = try job.session("sskd", live: false, execution: execution, epochs: 4)
  }

  @Test func anotherViewSeedOrTeacherIsRefusedNamingTheField() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    #expect {
      try job.dump { $0.viewSeed = 1 }
    } throws: {
      if case CacheError.mismatch(let field, _, _) = $0 { field == "viewSeed" } else { false }
    }
    #expect {
      try job.dump { $0.mean = [0.1, 0.1, 0.1] }
    } throws: {
      if case CacheError.mismatch(let field, _, _) = $0 { field == "teacherMean" } else { false }
    }
  }

  @Test func aNonFiniteLossStopsTheRun() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    #expect {
      try job.train("kd", live: false, threads: 2, into: "run", flags: [("lr", "1e30")])
    } throws: { error in
      "\(error)".contains("not finite") && "\(error)".contains("step")
    }
  }

  /// What a report needs is there for every kind of teacher, and absent without one.
  @Test(arguments: [("crld", false), ("kd", true), ("ce", true), ("sskd", false)])
  func aFinishedRunIsAssessed(method: String, live: Bool) throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    if !live { try job.dump() }
    try job.train(method, live: live, threads: 2, into: "run")
    let record = try RunRecord(directory: job.folder + "/run")
    let test = try #require(record.evaluation.test)
    #expect(test.images.reduce(0, +) == 1000)
    let top1 = Double(test.correct.reduce(0, +)) / 10
    #expect(top1 == record.summary.testTop1Last)
    #expect(test.trainingImages.reduce(0, +) == 40)
    #expect(test.calibration.total == 1000)
    let wrong = test.confusions.reduce(0) { $0 + $1.count }
    #expect(wrong > 0 && wrong <= 1000 - test.correct.reduce(0, +))
    let comparison = record.evaluation.comparison
    #expect((comparison == nil) == (method == "ce"))
    #expect(comparison?.images ?? 40 == 40)
    #expect((record.evaluation.cost == nil) == (method == "ce" || method == "sskd"))
    #expect(record.evaluation.cost?.isLive ?? live == live)
    #expect((record.evaluation.cache == nil) == live)
    // CRLD looks at two weak and one strong view of four images, the others at weak ones.
    #expect(record.evaluation.seen.count == (method == "ce" ? 0 : method == "crld" ? 12 : 8))
    #expect(FileManager.default.fileExists(atPath: job.folder + "/run/report.html"))
  }
}
