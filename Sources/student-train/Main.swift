import ArgumentParser
import CommandSupport

@main
enum Main {
  static func main() { runProgram(StudentTrain.self) }
}

struct StudentTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "student-train",
    abstract: "Trains students from a cache of teacher outputs, or with a live teacher.",
    discussion: """
      Examples:
        student-train --cache caches/r56 --data DIR --method crld \\
                      --student resnet20 --output runs/crld
        student-train --method ce --dataset cifar100 --data DIR \\
                      --student resnet56 --output runs/teacher
        student-train eval runs/crld --data DIR
      """,
    version: ProgramVersion.text,
    subcommands: [
      Train.self, Eval.self, Predict.self, Export.self, Report.self, Sweep.self, Recipes.self,
    ],
    defaultSubcommand: Train.self)
}
