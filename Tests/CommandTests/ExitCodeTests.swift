import Foundation
import Testing

/// Wrong calls and bad files: the documented exit code and a message that names the culprit.
struct ExitCodeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let program: String
    let arguments: [String]
    let status: Int32
    let says: String
    var testDescription: String { ([program] + arguments).joined(separator: " ") }

    init(_ status: Int32, _ says: String, _ program: String, _ arguments: String...) {
      self.status = status
      self.says = says
      self.program = program
      self.arguments = arguments
    }
  }

  private static let train = "student-train"
  private static let dump = "teacher-dump"
  private static let digits = Program.digits

  @Test(arguments: [
    Case(
      64, "--no-such-flag", train, "--no-such-flag", "--data", digits, "--output",
      "/nonexistent/run"),
    Case(64, "--data", train, "--method", "ce"),
    Case(
      64, "method", train, "--method", "kdd", "--student", "resnet8", "--dataset", "mnist",
      "--data", digits, "--output", "/nonexistent/run"),
    Case(
      64, "resnet8", train, "--method", "ce", "--student", "resnet9", "--dataset", "mnist",
      "--data", digits, "--output", "/nonexistent/run"),
    Case(
      64, "batch_size", train, "--method", "ce", "--student", "resnet8", "--dataset", "mnist",
      "--data", digits, "--output", "/nonexistent/run", "--batch-size", "0"),
    Case(
      64, "lr is \"nan\"", train, "--method", "ce", "--student", "resnet8", "--dataset", "mnist",
      "--data", digits, "--output", "/nonexistent/run", "--lr", "nan"),
    Case(
      64, "did you mean dkd.beta?", train, "--method", "dkd", "--student", "resnet8", "--dataset",
      "mnist", "--data", digits, "--output", "/nonexistent/run", "--set", "dkd.beat=1"),
    Case(
      64, "learns from a teacher", train, "--method", "kd", "--student", "resnet8", "--dataset",
      "mnist", "--data", digits, "--output", "/nonexistent/run"),
    Case(
      64, "exclude each other", train, "--method", "kd", "--student", "resnet8", "--cache", "a",
      "--teacher", "b", "--data", digits, "--output", "/nonexistent/run"),
    Case(
      64, "--teacher-arch goes with --teacher", train, "--method", "ce", "--student", "resnet8",
      "--dataset", "mnist", "--data", digits, "--teacher-arch", "resnet8", "--output",
      "/nonexistent/run"),
    Case(64, "name it .html", train, "report", "/nonexistent/run", "--output", "a.md"),
    Case(
      64, "name it .png", dump, "show", "/nonexistent/cache", "--data", digits, "--image", "0",
      "--view", "plain", "--png", "a.jpg"),
    Case(
      64, "line break", dump, "--dataset", "mnist", "--data", digits, "--teacher", "x", "--views",
      "weak:1", "--subset", "list:a\nb", "--cache", "/nonexistent/cache"),
    Case(
      64, "--threads", train, "--method", "ce", "--student", "resnet8", "--dataset", "mnist",
      "--data", digits, "--output", "/nonexistent/run", "--threads", "0"),
    Case(
      64, "cifar100", train, "--method", "ce", "--student", "resnet8", "--dataset", "cifar",
      "--data", digits, "--output", "/nonexistent/run"),
    Case(
      66, "/nonexistent/cache", train, "--method", "kd", "--student", "resnet8", "--cache",
      "/nonexistent/cache", "--data", digits, "--output", "/nonexistent/run"),
    Case(
      66, "/nonexistent/data", train, "--method", "ce", "--student", "resnet8", "--dataset",
      "mnist", "--data", "/nonexistent/data", "--output", "/nonexistent/run"),
    Case(
      66, "/nonexistent/t.safetensors", train, "--method", "kd", "--student", "resnet8",
      "--dataset", "mnist", "--data", digits, "--teacher", "/nonexistent/t.safetensors",
      "--output", "/nonexistent/run"),
    Case(
      66, "no.yaml", train, "--recipe", "/nonexistent/no.yaml", "--data", digits, "--output",
      "/nonexistent/run"),
    Case(
      73, "/dev/null", train, "--method", "ce", "--student", "resnet8", "--dataset", "mnist",
      "--data", digits, "--output", "/dev/null/run"),
    Case(66, "/nonexistent/run", train, "eval", "/nonexistent/run", "--data", digits),
    Case(64, "--views", dump, "--dataset", "mnist", "--data", digits, "--teacher", "x"),
    Case(
      64, "weak:0", dump, "--dataset", "mnist", "--data", digits, "--teacher", "x", "--views",
      "weak:0", "--cache", "/nonexistent/cache"),
    Case(
      64, "fp8", dump, "--dataset", "mnist", "--data", digits, "--teacher", "x", "--views",
      "weak:1", "--logits", "fp8", "--cache", "/nonexistent/cache"),
    Case(
      66, "/nonexistent/t", dump, "--dataset", "mnist", "--data", digits, "--teacher",
      "/nonexistent/t", "--views", "weak:1", "--cache", "/nonexistent/cache"),
    Case(64, "did you mean info?", dump, "inof", "/nonexistent/cache"),
    Case(64, "did you mean report?", train, "reprot", "/nonexistent/run"),
    Case(64, "did you mean sweep?", train, "help", "sweeep"),
    Case(66, "/nonexistent/cache", dump, "info", "/nonexistent/cache"),
    Case(66, "/nonexistent/cache", dump, "verify", "/nonexistent/cache"),
    Case(
      66, "/nonexistent/cache", dump, "read", "/nonexistent/cache", "--image", "0", "--view",
      "weak:0"),
  ])
  func wrongCalls(_ wrong: Case) throws {
    let result = try Program.run(wrong.program, wrong.arguments)
    #expect(result.status == wrong.status, "\(result.errors)")
    #expect(result.errors.contains(wrong.says), "\(result.errors)")
    #expect(result.output.isEmpty)
  }

  @Test(arguments: [
    ("not weights at all", "safetensors"), ("", "safetensors"),
    ("\u{2}\0\0\0\0\0\0\0{}", "missing"), ("\u{4}\0\0\0\0\0\0\0null", "safetensors"),
  ])
  func damagedWeightFiles(contents: String, says: String) throws {
    let scratch = try Scratch()
    let file = scratch.path + "/teacher.safetensors"
    try Data(contents.utf8).write(to: URL(fileURLWithPath: file))
    let result = try Program.run(
      "teacher-dump",
      [
        "--dataset", "mnist", "--data", Program.digits, "--teacher", file, "--arch", "resnet8",
        "--views", "weak:1", "--cache", scratch.path + "/cache",
      ])
    #expect(result.status == 65, "\(result.errors)")
    #expect(result.errors.lowercased().contains(says), "\(result.errors)")
  }

  /// A full disk is no reason to say that all went well.
  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"),
    arguments: [["--help"], ["--version"], ["recipes"]])
  func whatCannotBePrintedIsAnError(arguments: [String]) throws {
    let process = Program.process(Self.train, arguments)
    let errors = Pipe()
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
    process.standardError = errors
    try process.run()
    let text = String(decoding: Program.everything(from: errors), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 74 && text.contains("No space left"), "\(text)")
  }

  @Test func malformedRecipes() throws {
    let scratch = try Scratch()
    let file = scratch.path + "/recipe.yaml"
    for text in [
      "epochs: {", "epochs: 0", "epoch: 3", "nesterov: true\nmomentum: 0",
      "schedule: cosine\nlr: 0.1\nmin_lr: 0.5",
    ] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
      let result = try Program.run(
        "student-train",
        [
          "--recipe", file, "--method", "ce", "--student", "resnet8", "--dataset", "mnist",
          "--data", Program.digits, "--output", scratch.path + "/run",
        ])
      #expect(result.status == 78, "\(text): \(result.errors)")
      #expect(result.errors.contains(file), "\(result.errors)")
    }
    // The same contradiction with a flag in it is the flag's.
    try Data("momentum: 0".utf8).write(to: URL(fileURLWithPath: file))
    let flag = try Program.run(
      Self.train,
      [
        "--recipe", file, "--nesterov", "--method", "ce", "--student", "resnet8", "--dataset",
        "mnist", "--print-config",
      ])
    #expect(flag.status == 64, "\(flag.errors)")
    let folder = try Program.run(Self.train, ["--recipe", scratch.path, "--print-config"])
    #expect(folder.status == 78 && folder.errors.contains("is a folder"), "\(folder.errors)")
  }

  @Test func aCacheIsNoFolderForARun() throws {
    let (scratch, _) = try SmallCache.make()
    let before = try scratch.listing()
    let result = try Program.run(
      Self.train,
      [
        "--cache", scratch.path + "/cache", "--data", Self.digits, "--method", "kd", "--student",
        "resnet8", "--output", scratch.path + "/cache",
      ])
    #expect(result.status == 73 && result.errors.contains("teacher cache"), "\(result.errors)")
    #expect(try scratch.listing() == before)
  }

  @Test(arguments: [
    ("teacher-dump", ["dump", "info", "verify", "read", "show", "merge", "copy", "eval"]),
    ("student-train", ["train", "eval", "predict", "export", "report", "sweep", "recipes"]),
  ])
  func helpNamesEverySubcommandAndSucceeds(program: String, commands: [String]) throws {
    let help = try Program.run(program, ["--help"])
    #expect(help.status == 0)
    let list = try #require(help.output.components(separatedBy: "SUBCOMMANDS:").last)
    for command in commands { #expect(list.contains("\n  \(command) "), "\(command)") }
  }

  /// One version of everything: the Python package has the same.
  @Test(arguments: ["teacher-dump", "student-train"])
  func versionIsThatOfThePythonPackage(program: String) throws {
    let project = try String(
      contentsOfFile: Program.projectFolder + "/tools/python/pyproject.toml", encoding: .utf8)
    let version = try #require(
      project.split(separator: "\n").first { $0.hasPrefix("version = ") }?.split(separator: "\"")
        .last)
    let result = try Program.run(program, ["--version"])
    #expect(result.status == 0)
    #expect(result.output.hasPrefix("teacher-cache \(version)\n"))
    #expect(result.output.contains("cifar-crop-flip@1"))
  }

  @Test func refusesAnUnknownKernelLevel() throws {
    let process = Program.process(Self.train, ["--help"])
    process.environment = ["KERNEL_LEVEL": "mmx"]
    let errors = Pipe()
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, errors)
    try process.run()
    let text = String(decoding: Program.everything(from: errors), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 64)
    #expect(text.contains("\"mmx\"; expected one of avx512, avx2, baseline"))
  }

  /// Standard output on a full disk ends with 74; a log that takes no more costs nothing.
  @Test func whatTakesNoMoreBytesCrashesNothing() throws {
    let listing = Program.process(Self.train, ["recipes"])
    listing.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: "/dev/full"))
    let errors = Pipe()
    listing.standardError = errors
    try listing.run()
    let text = String(decoding: Program.everything(from: errors), as: UTF8.self)
    listing.waitUntilExit()
    #expect(listing.terminationReason == .exit && listing.terminationStatus == 74)
    #expect(text.contains("standard output cannot be written"))

    let refused = Program.process(
      Self.train,
      [
        "--method", "kd", "--student", "resnet8", "--dataset", "mnist", "--data", Self.digits,
        "--output", "/nonexistent/run",
      ])
    refused.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: "/dev/full"))
    try refused.run()
    refused.waitUntilExit()
    #expect(refused.terminationReason == .exit && refused.terminationStatus == 64)
  }

  /// As `| head -1` and a `tee` that is killed leave the other end of a pipe.
  @Test func readersMayGoAway() throws {
    let listing = Program.process(Self.train, ["recipes"])
    let (output, errors) = (Pipe(), Pipe())
    (listing.standardOutput, listing.standardError) = (output, errors)
    try output.fileHandleForReading.close()
    try listing.run()
    let text = Program.everything(from: errors)
    listing.waitUntilExit()
    #expect(listing.terminationReason == .exit && listing.terminationStatus == 74)
    #expect(text.isEmpty)

    let refused = Program.process(Self.train, ["--method", "nothing"])
    let log = Pipe()
    refused.standardError = log
    try log.fileHandleForReading.close()
    try refused.run()
    refused.waitUntilExit()
    #expect(refused.terminationReason == .exit && refused.terminationStatus == 64)
  }

  @Test func foldersThatCannotBeMadeAreNamed() throws {
    let (scratch, _) = try SmallCache.make()
    let file = scratch.path + "/images.txt"
    for target in ["", file, file + "/below", "/proc/cache"] {
      let result = try Program.run(Self.dump, ["copy", scratch.path + "/cache", target])
      #expect(result.status == 73, "\(target): \(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: "/units"))
  }

  @Test func imagesBeyondAllNumbersAreMissing() throws {
    let (scratch, _) = try SmallCache.make()
    for image in ["4294967296", "9999999999999999"] {
      let result = try Program.run(
        Self.dump, ["read", scratch.path + "/cache", "--image", image, "--view", "weak:9"])
      #expect(result.status == 66, "\(image): \(result.errors)")
    }
  }

  /// One line of flags serves a loop over methods.
  @Test func noMilestonesGoWithEveryMethod() throws {
    for (milestones, status) in [("none", Int32(0)), ("5", 64)] {
      let result = try Program.run(
        Self.train,
        [
          "--method", "sskd", "--student", "resnet8", "--dataset", "mnist", "--milestones",
          milestones, "--warmup-epochs", "0", "--print-config",
        ])
      #expect(result.status == status, "\(result.errors)")
    }
  }

  /// Features are large: the command that adds them asks for one round, not for one an epoch.
  @Test func theCommandThatAddsWhatLacksAsksForNoMoreThanIsNeeded() throws {
    let scratch = try SmallCache.scratch()
    let cache = scratch.path + "/cache"
    let dump = try Program.run(
      Self.dump, SmallCache.dump(scratch, views: "weak:2").map { $0 == "stage3" ? "none" : $0 })
    #expect(dump.status == 0, "\(dump.errors)")
    func lacks(_ method: String, _ rest: [String], in cache: String = cache) throws -> String {
      let result = try Program.run(
        Self.train,
        [
          "--cache", cache, "--data", Self.digits, "--method", method, "--student", "resnet8",
          "--output", scratch.path + "/run",
        ] + rest)
      #expect(result.status == 66)
      return result.errors
    }
    #expect(
      try lacks("sskd", []).contains(
        "--views weak:2 --features stage1,stage2,stage3 --feature-views weak:1 "))
    let crld = try lacks("crld", [])
    #expect(crld.contains("--views weak:2,strong:16 "))
    #expect(crld.contains("with IDS a file of the 40 image ids") && crld.contains("list:IDS "))
    #expect(try lacks("crld", ["--epochs", "3", "--milestones", "2"]).contains("strong:3 "))
    let other = scratch.path + "/other.txt"
    try Data("1\n2\n".utf8).write(to: URL(fileURLWithPath: other))
    let images = try lacks("kd", ["--subset", "list:" + other])
    #expect(images.contains("--views weak:2 ") && images.contains("--subset list:" + other))
    // Rounds of features are among the views, where the cache has none of them too.
    let strong = SmallCache.dump(scratch, views: "strong:1", into: "strong")
    #expect(try Program.run(Self.dump, strong.map { $0 == "stage3" ? "none" : $0 }).status == 0)
    #expect(
      try lacks(
        "sskd", ["--epochs", "60", "--set", "sskd.feature_rounds=20"], in: scratch.path + "/strong"
      ).contains("--views weak:20 --features stage1,stage2,stage3 --feature-views weak:20 "))
  }

  /// As it is printed, but for the teacher's file.
  @Test(arguments: [[], ["--features", "stage3", "--feature-precision", "fp32"]])
  func thePrintedCommandAddsWhatLacks(features: [String]) throws {
    let scratch = try SmallCache.scratch()
    let teacher = scratch.path + SmallCache.teacher
    let cache = scratch.path + "/a cache"
    let dump = try Program.run(
      Self.dump,
      [
        "--dataset", "mnist", "--data", Self.digits, "--subset", "exp:100", "--teacher", teacher,
        "--views", "weak:1", "--cache", cache,
      ] + features)
    #expect(dump.status == 0, "\(dump.errors)")
    let run = [
      "--cache", cache, "--data", Self.digits, "--method", "crld", "--student", "resnet8",
      "--epochs", "1", "--milestones", "none", "--output", scratch.path + "/run",
    ]
    let refused = try Program.run(Self.train, run)
    #expect(refused.status == 66, "\(refused.errors)")
    #expect(refused.errors.contains("--subset exp:100"), "\(refused.errors)")
    let command = try #require(refused.errors.range(of: "teacher-dump "))
    // A shell takes it apart; the programs here are not in its path.
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    let text = refused.errors[command.lowerBound...].replacing("FILE", with: teacher)
    shell.arguments = ["-c", "PATH='\(Program.folder)':$PATH; " + text]
    shell.standardOutput = FileHandle.nullDevice
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 0, "\(text)")
    let trained = try Program.run(Self.train, run)
    #expect(trained.status == 0, "\(trained.errors)")
  }
}
