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

  @Test func malformedRecipes() throws {
    let scratch = try Scratch()
    let file = scratch.path + "/recipe.yaml"
    for text in ["epochs: {", "epochs: 0", "epoch: 3"] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
      let result = try Program.run(
        "student-train",
        [
          "--recipe", file, "--method", "ce", "--student", "resnet8", "--dataset", "mnist",
          "--data", Program.digits, "--output", scratch.path + "/run",
        ])
      #expect(result.status == 78, "\(text): \(result.errors)")
    }
  }

  @Test(arguments: ["teacher-dump", "student-train"])
  func helpNamesEverySubcommandAndSucceeds(program: String) throws {
    let help = try Program.run(program, ["--help"])
    #expect(help.status == 0)
    #expect(help.output.contains("SUBCOMMANDS"))
    #expect(help.output.contains("eval"))
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
}
