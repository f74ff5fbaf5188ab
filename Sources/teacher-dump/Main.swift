import ArgumentParser
import CommandSupport

@main
enum Main {
  static func main() { runProgram(TeacherDump.self) }
}

struct TeacherDump: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "teacher-dump",
    abstract: "Evaluates a teacher once over every image and view and keeps what it said.",
    discussion: """
      Examples:
        teacher-dump --dataset cifar100 --data DIR --teacher r56.safetensors \\
                     --views weak:16,strong:16 --cache caches/r56
        teacher-dump info caches/r56
        teacher-dump eval --dataset cifar100 --data DIR --teacher r56.safetensors
      """,
    version: ProgramVersion.text,
    subcommands: [
      Dump.self, Info.self, Verify.self, Read.self, Show.self, Merge.self, Copy.self, Eval.self,
    ],
    defaultSubcommand: Dump.self)
}
