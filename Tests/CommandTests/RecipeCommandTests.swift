import Foundation
import Testing

/// `--recipe`, `--print-config` and `recipes` as a user calls them.
struct RecipeCommandTests {
  private func run(_ arguments: String...) throws -> Program.Result {
    try Program.run("student-train", arguments)
  }

  @Test func theListHasNameMethodStudentAndAccuracy() throws {
    let all = try run("recipes")
    #expect(all.status == 0, "\(all.errors)")
    #expect(all.output.split(separator: "\n").count == 96)
    let one = try run("recipes", "resnet56-resnet20-crld")
    let lines = one.output.split(separator: "\n")
    #expect(lines.count == 2)
    for word in ["cifar100-resnet56-resnet20-crld", "crld", "resnet20", "resnet56", "72.10 % [S]"] {
      #expect(lines.last?.contains(word) == true, "\(word)")
    }
    #expect(try run("recipes", "no-such-thing").status == 66)
  }

  @Test func theConfigurationIsPrintedAndNothingIsTrained() throws {
    let scratch = try Scratch()
    let result = try run(
      "--recipe", "cifar100-lt100-bkd", "--set", "bkd.alpha=0.5", "--epochs", "7", "--print-config")
    #expect(result.status == 0, "\(result.errors)")
    for line in [
      "method: bkd", "student: resnet32_s", "subset: 'exp:100'", "epochs: 7", "  alpha: 0.5",
      "mean: [0.4914, 0.4822, 0.4465]",
    ] { #expect(result.output.contains(line + "\n"), "\(line)") }
    #expect(result.errors.contains("milestone 160"))
    // With the images it is what a run would save.
    let subset = try scratch.subset()
    let arguments = [
      "--method", "ce", "--student", "resnet8", "--dataset", "mnist", "--data", Program.digits,
      "--subset", subset, "--epochs", "1", "--milestones", "none", "--output",
      scratch.path + "/run",
    ]
    let printed = try Program.run("student-train", arguments + ["--print-config"])
    #expect(FileManager.default.fileExists(atPath: scratch.path + "/run") == false)
    #expect(try Program.run("student-train", arguments).status == 0)
    let saved = try String(contentsOfFile: scratch.path + "/run/config.yaml", encoding: .utf8)
    #expect(printed.output == saved)
  }

  @Test func aPrintedConfigurationIsARecipe() throws {
    let scratch = try Scratch()
    let first = try run("--recipe", "cifar100-vgg13-vgg8-sskd", "--print-config")
    #expect(first.output.contains("method: sskd"), "\(first.errors)")
    let file = scratch.path + "/mine.yaml"
    try Data(first.output.utf8).write(to: URL(fileURLWithPath: file))
    #expect(try run("--recipe", file, "--print-config").output == first.output)
  }

  @Test func aProgramThatWasMovedSaysWhereItLooked() throws {
    let scratch = try Scratch()
    let original = try #require(Program.process("student-train", []).executableURL)
    let copy = scratch.path + "/student-train"
    try FileManager.default.copyItem(atPath: original.path, toPath: copy)
    func moved(_ environment: [String: String]) throws -> (status: Int32, text: String) {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: copy)
      process.arguments = ["--recipe", "cifar100-lt100-bkd", "--print-config"]
      process.environment = environment
      process.currentDirectoryURL = URL(fileURLWithPath: scratch.path)
      let pipe = Pipe()
      (process.standardOutput, process.standardError) = (pipe, pipe)
      try process.run()
      let text = String(decoding: Program.everything(from: pipe), as: UTF8.self)
      process.waitUntilExit()
      return (process.terminationStatus, text)
    }
    let lost = try moved([:])
    #expect(lost.status == 66)
    #expect(lost.text.contains(scratch.path + "/data/recipes"), "\(lost.text)")
    #expect(lost.text.contains("DISTILL_RECIPES"))
    let told = try moved(["DISTILL_RECIPES": Program.projectFolder + "/data/recipes"])
    #expect(told.status == 0, "\(told.text)")
    try FileManager.default.createDirectory(
      atPath: scratch.path + "/data", withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: Program.projectFolder + "/data/recipes", toPath: scratch.path + "/data/recipes")
    #expect(try moved([:]).status == 0)
  }

  @Test func refusalsNameTheKeyAndTheRecipe() throws {
    let scratch = try Scratch()
    let file = scratch.path + "/recipe.yaml"
    for (text, says) in [
      ("method: dkd\ndkd: {beat: 2}\n", "did you mean dkd.beta?"),
      ("DISTILLER: {TYPE: AT}\n", "DISTILLER.TYPE is AT"),
    ] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
      let result = try run(
        "--recipe", file, "--student", "resnet8", "--dataset", "mnist", "--print-config")
      #expect(result.status == 78, "\(result.errors)")
      #expect(result.errors.contains(says), "\(result.errors)")
    }
    let unknown = try run("--recipe", "cifar100-lt100-bkdd", "--print-config")
    #expect(unknown.status == 64)
    #expect(unknown.errors.contains("cifar100-lt100-bkd,"), "\(unknown.errors)")
  }
}
