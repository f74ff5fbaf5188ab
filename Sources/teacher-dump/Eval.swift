import ArgumentParser
import CommandSupport

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Test-set accuracy of a teacher.",
    discussion: """
      Example:
        teacher-dump eval --dataset cifar100 --data DIR --teacher r56.safetensors --json
      """)

  @Option(help: ArgumentHelp("The teacher's weights (safetensors).", valueName: "file"))
  var teacher: String
  @OptionGroup var evaluation: EvaluationOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    try evaluation.evaluateAndPrint(teacher, on: threads.makeExecution())
  }
}
