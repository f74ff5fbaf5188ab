import Datasets
import Foundation
import Networks
import TestSupport
import Testing

/// Flags with which a run begins: given weights, a teacher whose file says nothing, a part of the
/// images.
struct FlagTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func train(_ output: String, _ arguments: [String]) throws -> Program.Result {
    try Program.run(
      "student-train",
      [
        "--data", Program.digits, "--student", "resnet8", "--epochs", "1", "--milestones", "none",
        "--output", "\(scratch.path)/\(output)",
      ] + arguments)
  }

  private func weights(_ run: String) throws -> SafeTensors {
    try SafeTensors.read("\(scratch.path)/\(run)/last.safetensors")
  }

  /// The largest difference between two files' values of one parameter.
  private func difference(_ name: String, _ one: SafeTensors, _ other: SafeTensors) throws -> Float
  {
    let pair = try [one, other].map { try #require($0.tensors[name]).floats }
    return try #require(zip(pair[0], pair[1]).map { abs($0 - $1) }.max())
  }

  /// Each flag alone, with a value that no setting has by itself.
  @Test(arguments: [
    (["--epochs", "77"], "epochs: 77"), (["--batch-size", "77"], "batch_size: 77"),
    (["--lr", "0.077"], "lr: 0.077"), (["--lr-decay", "0.77"], "lr_decay: 0.77"),
    (["--momentum", "0.77"], "momentum: 0.77"), (["--nesterov"], "nesterov: true"),
    (["--weight-decay", "0.0077"], "weight_decay: 0.0077"),
    (["--milestones", "7,77"], "milestones: [7, 77]"),
    (["--warmup-epochs", "7"], "warmup_epochs: 7"), (["--temperature", "7"], "temperature: 7"),
    (["--label-smoothing", "0.77"], "label_smoothing: 0.77"),
    (["--ema-decay", "0.77"], "ema_decay: 0.77"),
    (["--val-fraction", "0.77"], "val_fraction: 0.77"),
    (["--eval-every", "77"], "eval_every: 77"), (["--seed", "77"], "seed: 77"),
    (["--schedule", "cosine"], "schedule: cosine"),
    (["--schedule", "cosine", "--min-lr", "0.0077"], "min_lr: 0.0077"),
    (["--subset", "exp:77"], "subset: 'exp:77'"), (["--views", "weak:7"], "views: 'weak:7'"),
    (["--view-seed", "77"], "view_seed: 77"), (["--augment", "none"], "augment: none"),
    (["--mean", "0.7,0.7,0.7"], "mean: [0.7, 0.7, 0.7]"),
    (["--std", "0.7,0.7,0.7"], "std: [0.7, 0.7, 0.7]"),
  ])
  func aFlagIsItsSetting(flags: [String], line: String) throws {
    let common = ["--method", "kd", "--student", "resnet8", "--dataset", "mnist", "--print-config"]
    let lines = { (flags: [String]) in
      let result = try Program.run("student-train", common + flags)
      #expect(result.status == 0, "\(result.errors)")
      return result.output.split(separator: "\n").map(String.init)
    }
    let (plain, changed) = (try lines([]), try lines(flags))
    #expect(!plain.contains(line) && changed.contains(line), "\(changed)")
    // The others are as they were.
    let others = zip(plain, changed).filter { $0 != $1 }.map(\.1)
    let isCosine = flags.contains("cosine")
    #expect(isCosine || plain.count != changed.count || others == [line], "\(others)")
  }

  @Test func aStudentStartsFromTheGivenWeights() throws {
    let start = try scratch.teacher()
    // Steps too small for a weight to leave its place.
    let still = [
      "--method", "ce", "--dataset", "mnist", "--subset", try scratch.subset(), "--lr", "1e-12",
    ]
    let given = try train("given", still + ["--init", start])
    #expect(given.status == 0, "\(given.errors)")
    let drawn = try train("drawn", still)
    #expect(drawn.status == 0, "\(drawn.errors)")
    for name in ["conv1.weight", "layer2.0.conv1.weight", "fc.weight", "fc.bias"] {
      #expect(try difference(name, weights("given"), SafeTensors.read(start)) < 1e-6, "\(name)")
      #expect(try difference(name, weights("drawn"), SafeTensors.read(start)) > 0.1, "\(name)")
    }

    let wide = scratch.path + "/wide.safetensors"
    try Architecture.make("resnet8x4", classes: 10)
      .state(metadata: ["architecture": "resnet8x4", "format": "pt"]).write(to: wide)
    let other = try train("other", still + ["--init", wide])
    #expect(other.status == 65, "\(other.errors)")
    #expect(other.errors.contains("not the weights of resnet8 with 10"), "\(other.errors)")
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/other"))
  }

  /// Two files of one teacher: one without a word about it, one that says everything.
  private func teachers() throws -> (silent: String, complete: String) {
    var file = try untrainedTeacher(seed: 5).state()
    let paths = ["silent", "complete"].map { "\(scratch.path)/\($0).safetensors" }
    file.metadata = [:]
    try file.write(to: paths[0])
    file.metadata = ["architecture": "resnet8", "mean": "0.2,0.2,0.2", "std": "0.4,0.4,0.4"]
    try file.write(to: paths[1])
    return (paths[0], paths[1])
  }

  @Test func aDumpedTeachersArchitectureAndNormalisationCanBeNamed() throws {
    let (silent, complete) = try teachers()
    let subset = try scratch.subset()
    func dump(_ cache: String, _ teacher: [String]) throws -> Program.Result {
      try Program.run(
        "teacher-dump",
        [
          "--dataset", "mnist", "--data", Program.digits, "--subset", subset, "--views", "plain",
          "--cache", "\(scratch.path)/\(cache)", "--teacher",
        ] + teacher)
    }
    let unknown = try dump("unknown", [silent])
    #expect(unknown.status == 64 && unknown.errors.contains("--arch"), "\(unknown.errors)")
    let std = ["--std", "0.4,0.4,0.4"]
    let caches = [
      ("file", [complete]),
      ("flags", [silent, "--arch", "resnet8", "--mean", "0.2,0.2,0.2"] + std),
      ("other", [silent, "--arch", "resnet8", "--mean", "0.2,0.2,0.3"] + std),
    ]
    let hashes = try caches.map { name, arguments in
      let result = try dump(name, arguments)
      #expect(result.status == 0, "\(name): \(result.errors)")
      let info = try SmallCache.info("\(scratch.path)/\(name)")
      return try [info["cache_id"], info["content_hash"]].map { try #require($0 as? String) }
    }
    #expect(hashes[0] == hashes[1])
    #expect(hashes[0][0] != hashes[2][0])
    #expect(hashes[0][1] != hashes[2][1])
  }

  @Test func aLiveTeachersArchitectureAndNormalisationCanBeNamed() throws {
    let (silent, complete) = try teachers()
    let common = [
      "--method", "kd", "--dataset", "mnist", "--subset", try scratch.subset(), "--views", "weak:1",
    ]
    let unknown = try train("unknown", common + ["--teacher", silent])
    #expect(unknown.status == 64 && unknown.errors.contains("--teacher-arch"), "\(unknown.errors)")

    let told = common + ["--teacher", silent, "--teacher-arch", "resnet8"]
    let runs = [
      ("file", common + ["--teacher", complete]),
      ("flags", told + ["--teacher-mean", "0.2,0.2,0.2", "--teacher-std", "0.4,0.4,0.4"]),
      ("otherMean", told + ["--teacher-mean", "0.3,0.2,0.2", "--teacher-std", "0.4,0.4,0.4"]),
      ("otherStd", told + ["--teacher-mean", "0.2,0.2,0.2", "--teacher-std", "0.4,0.4,0.5"]),
    ]
    for (name, arguments) in runs {
      let result = try train(name, arguments)
      #expect(result.status == 0, "\(name): \(result.errors)")
    }
    let isSame = try weights("flags") == weights("file")
    #expect(isSame)
    for name in ["otherMean", "otherStd"] {
      let isOther = try weights(name) != weights("file")
      #expect(isOther, "\(name)")
    }
  }

  /// Of 400 digits of each class the first five classes keep all, the others a fiftieth.
  @Test func aStepOfClassesIsDumpedVerifiedAndTrained() throws {
    let cache = scratch.path + "/cache"
    let dumped = try Program.run(
      "teacher-dump",
      [
        "--dataset", "mnist", "--data", Program.digits, "--subset", "step:50", "--teacher",
        try scratch.teacher(), "--views", "plain", "--cache", cache,
      ])
    #expect(dumped.status == 0, "\(dumped.errors)")
    let info = try SmallCache.info(cache)
    #expect(info["images"] as? Int == 5 * 400 + 5 * 8)

    let verified = try Program.json(
      Program.run("teacher-dump", ["verify", cache, "--data", Program.digits, "--json"]).output)
    #expect(verified["records_checked"] as? Int == 2040)
    #expect(verified["views_replayed"] as? Int == 1000)  // unless --sample or --all says otherwise

    let plain = ["--cache", cache, "--method", "kd", "--augment", "none"]
    let trained = try train("part", plain + ["--subset", "step:50"])
    #expect(trained.status == 0, "\(trained.errors)")
    let wider = try train("wider", plain + ["--subset", "step:40"])
    #expect(wider.status == 66, "\(wider.errors)")
    #expect(wider.errors.contains("--subset step:40"), "\(wider.errors)")
  }

  /// A later stage that no adapter joins is found out before the first one is learnt, and nothing is
  /// left of the run: 28×28 against 7×7.
  @Test func stagesThatDoNotFitAreRefusedAtOnce() throws {
    let arguments = [
      "--method", "sskd", "--dataset", "mnist", "--subset", try scratch.subset(), "--teacher",
      try scratch.teacher(), "--views", "weak:1", "--batch-size", "10",
    ]
    let result = try train(
      "run", arguments + ["--set", "sskd.stages=stage1:stage1,stage3:stage1"])
    #expect(result.status == 65, "\(result.errors)")
    #expect(result.errors.contains("stage3 is 7×7×64 and the teacher's stage1 28×28×16"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/run"))
  }

  @Test func featureViewsWithoutFeaturesAreRefused() throws {
    let result = try Program.run(
      "teacher-dump",
      [
        "--dataset", "mnist", "--data", Program.digits, "--teacher", try scratch.teacher(),
        "--views",
        "weak:2", "--feature-views", "weak:1", "--cache", scratch.path + "/cache",
      ])
    #expect(result.status == 64 && result.errors.contains("--features"), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/cache"))
  }

  /// What a shell can pass and no text can say would be another folder's name.
  @Test func aPathThatIsNoTextIsRefused() throws {
    let program = try #require(Program.process("teacher-dump", []).executableURL).path
    let shell = Process()
    let errors = Pipe()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", "exec '\(program)' info \"$(printf 'nu\\377')\""]
    shell.standardError = errors
    try shell.run()
    let text = String(decoding: Program.everything(from: errors), as: UTF8.self)
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 64 && text.contains("not valid UTF-8"), "\(text)")
  }

  /// The next file would get the number of a closed descriptor, and every message.
  @Test func nothingIsPrintedIntoAFileOfTheRun() throws {
    let program = try #require(Program.process("student-train", []).executableURL).path
    let run = scratch.path + "/closed"
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = [
      "-c",
      "exec '\(program)' --method ce --student resnet8 --dataset mnist --data '\(Program.digits)' "
        + "--subset '\(try scratch.subset())' --epochs 1 --milestones none --output '\(run)' "
        + "<&- >&- 2>&-",
    ]
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 74)  // what it came to could not be printed
    #expect(try Data(contentsOf: URL(fileURLWithPath: run + "/.lock")).isEmpty)
    #expect(FileManager.default.fileExists(atPath: run + "/summary.json"))
  }

  /// Names come from files, and files from anywhere.
  @Test func aWeightFileDoesNotMoveTheCursor() throws {
    let file = scratch.path + "/evil.safetensors"
    let tensor = StateTensor(dtype: .f32, shape: [1], bytes: [0, 0, 0, 0])
    try SafeTensors(
      metadata: ["dataset": "mnist"],
      tensors: [
        "\u{1b}[2J\u{1b}]0;owned\u{7}": tensor, String(repeating: "x", count: 100_000): tensor,
      ]
    ).write(to: file)
    let result = try Program.run(
      "student-train", ["eval", file, "--arch", "resnet8", "--data", Program.digits])
    #expect(result.status == 65)
    #expect(result.errors.contains("\\u{1B}[2J"), "\(result.errors)")
    #expect(!result.errors.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
    #expect(result.errors.count < 5000)
  }
}
