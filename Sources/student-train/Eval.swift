import ArgumentParser
import CommandSupport

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Test-set accuracy of a run's last checkpoint, or of a weight file.",
    discussion: """
      Examples:
        student-train eval runs/crld --data DIR
        student-train eval resnet20.safetensors --dataset cifar100 --data DIR --json
      """)

  @Argument(help: ArgumentHelp("A run's folder or a .safetensors file.", valueName: "run|file"))
  var weights: String
  @OptionGroup var evaluation: EvaluationOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    try evaluation.evaluateAndPrint(weightFile(of: weights), on: threads.makeExecution())
  }
}
