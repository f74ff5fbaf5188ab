package import ArgumentParser
import Datasets
import Distillation
import Experiments
import FileIO
import Foundation
import Networks
import Reporting
import TeacherCache
import Tensors

/// What a command prints and returns when it cannot go on.
package struct Failure: Error, Sendable {
  package let status: Int32
  package let message: String

  package init(_ status: Int32, _ message: String) {
    self.status = status
    self.message = message
  }
}

/// The exit codes of sysexits.h that both programs use.
package enum Status {
  package static let usage: Int32 = 64
  package static let data: Int32 = 65
  package static let noInput: Int32 = 66
  package static let software: Int32 = 70
  package static let cannotCreate: Int32 = 73
  package static let io: Int32 = 74
  package static let tryAgain: Int32 = 75
  package static let permission: Int32 = 77
  package static let configuration: Int32 = 78
}

/// Parses the command line, runs the command, and leaves with the status of what went wrong.
package func runProgram<Command: ParsableCommand>(_ type: Command.Type) -> Never {
  // Whoever reads what is printed may go away; the work goes on, and `printResult` notices.
  signal(SIGPIPE, SIG_IGN)
  // A file that may grow no more is an error like a full disk.
  signal(SIGXFSZ, SIG_IGN)
  occupyStandardDescriptors()
  reportShortenedFiles()
  reportTraps()
  raiseFileLimit()
  do {
    try capKernelLevel()
    try requireUnicode()
    try requireCommand(of: type, in: CommandLine.arguments.dropFirst())
    var command = try Command.parseAsRoot()
    try command.run()
    exit(0)
  } catch let failure as Failure {
    leave(failure)
  } catch {
    if let failure = failure(for: error) { leave(failure) }
    // Help, usage and validation errors are the argument parser's.
    let code = Command.exitCode(for: error)
    if code == .success {
      printResult(Command.fullMessage(for: error))
      exit(0)
    }
    guard code == .failure else { Command.exit(withError: error) }
    leave(Failure(Status.software, "a bug of this program, please report it: \(error)"))
  }
}

/// Where a standard descriptor is closed, the next file would take its number and what is printed would
/// land in it. Opened for reading, it still refuses what is printed.
private func occupyStandardDescriptors() {
  for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
    _ = open("/dev/null", O_RDONLY)
  }
}

/// A mapped file that is cut off, or whose disk fails, ends the program by SIGBUS: now it says why.
private func reportShortenedFiles() {
  signal(SIGBUS) { _ in
    let text: StaticString = """

      error: a file became shorter while it was read, or its disk failed; check the cache with \
      teacher-dump verify

      """
    _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    _exit(Status.data)
  }
}

/// A failed precondition ends an optimised program by SIGILL or SIGTRAP without its message: now it says
/// what that is and has its code, as other crashes do. Whoever asks the Swift runtime for a trace gets
/// that instead.
private func reportTraps() {
  let trace = getenv("SWIFT_BACKTRACE").map { String(cString: $0) } ?? ""
  guard !["yes", "on", "true"].contains(where: { trace.contains("enable=\($0)") }) else { return }
  for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV] {
    signal(number) { _ in
      let text: StaticString = """

        error: a bug of this program, or no memory left; please report a bug with the command and, from \
        another try with SWIFT_BACKTRACE=enable=yes, the trace

        """
      _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
      _exit(Status.software)
    }
  }
}

/// A large cache has more units than the usual limit of open files; every process may raise its own.
private func raiseFileLimit() {
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard getrlimit(files, &limit) == 0 else { return }
  limit.rlim_cur = limit.rlim_max
  setrlimit(files, &limit)
}

/// `KERNEL_LEVEL=avx2` keeps a newer processor to the kernels of an older one, to compare them.
private func capKernelLevel() throws {
  guard let name = ProcessInfo.processInfo.environment["KERNEL_LEVEL"], !name.isEmpty else {
    return
  }
  guard KernelLevel.cap(name) else {
    throw Failure(
      Status.usage,
      "the environment variable KERNEL_LEVEL is \"\(name)\"; expected one of "
        + KernelLevel.names.joined(separator: ", "))
  }
}

/// Refuses bytes that are no UTF-8: as text they would name another folder.
private func requireUnicode() throws {
  for index in 0..<Int(CommandLine.argc) {
    guard let pointer = CommandLine.unsafeArgv[index], String(validatingCString: pointer) == nil
    else { continue }
    throw Failure(
      Status.usage,
      "the argument \"\(String(cString: pointer))\" is not valid UTF-8; rename that file or folder")
  }
}

/// Refuses a first word that is neither an option nor a command: no default command takes any.
private func requireCommand(
  of program: any ParsableCommand.Type, in words: ArraySlice<String>
) throws {
  let words = words.first == "help" ? words.dropFirst() : words
  guard let word = words.first, !word.hasPrefix("-") else { return }
  let names = program.configuration.subcommands.map {
    $0.configuration.commandName ?? "\($0)".lowercased()
  }
  guard !names.contains(word), word != "help" else { return }
  throw Failure(
    Status.usage,
    "there is no command \"\(word)\""
      + (nearestName(to: word, among: names).map { "; did you mean \($0)?" } ?? "")
      + " (commands: \(names.joined(separator: ", ")))")
}

func leave(_ failure: Failure) -> Never {
  if !failure.message.isEmpty {
    // A file may have given it any length and any characters.
    let (message, limit) = (withoutControls(failure.message), 4000)
    let text = message.count > limit ? message.prefix(limit) + " …" : message[...]
    writeAll("error: \(text)\n", to: STDERR_FILENO)
  }
  exit(failure.status)
}

/// The failure behind an error of the modules below; nil for one that is not theirs.
package func failure(for error: any Error) -> Failure? {
  switch error {
  case let error as DatasetError: Failure(status(of: error), error.description)
  case let error as NetworkError: Failure(status(of: error), error.description)
  case let error as FileError: Failure(status(of: error), error.description)
  case let error as CacheError: Failure(status(of: error), error.description)
  case let error as SettingError: Failure(status(of: error), error.description)
  case let error as RunError: Failure(status(of: error), error.description)
  case let error as PlanError:
    Failure(error.kind == .mismatch ? Status.data : Status.usage, error.description)
  case let error as MissingFromCache: Failure(Status.noInput, error.description)
  case let error as StateError: Failure(Status.data, error.description)
  case let error as Divergence: Failure(Status.data, error.description)
  case let error as ReplayMismatch: Failure(Status.data, error.description)
  case let error as NonFiniteAnswer: Failure(Status.data, error.description)
  case let error as NonFiniteTeacher: Failure(Status.data, error.description)
  case let error as CocoaError where error.code == .fileReadNoSuchFile:
    Failure(Status.noInput, "\(error.filePath ?? "a file"): there is no such file; check the path")
  case let error as CocoaError where error.code == .fileReadNoPermission:
    Failure(Status.permission, "\(error.filePath ?? "a file"): cannot be read: permission denied")
  case let error as CocoaError:
    Failure(Status.io, "\(error.filePath ?? "a file"): \(error.localizedDescription)")
  default: nil
  }
}

private func status(of error: DatasetError) -> Int32 {
  switch error.kind {
  case .missingFile: Status.noInput
  case .malformed: Status.data
  case .usage: Status.usage
  case .permission: Status.permission
  }
}

private func status(of error: NetworkError) -> Int32 {
  switch error.kind {
  case .missingFile: Status.noInput
  case .malformed, .mismatch: Status.data
  case .unknownName: Status.usage
  case .permission: Status.permission
  }
}

private func status(of error: FileError) -> Int32 {
  switch error.kind {
  case .permission: Status.permission
  case .cannotCreate: Status.cannotCreate
  case .cannotWrite, .diskFull: Status.io
  }
}

private func status(of error: CacheError) -> Int32 {
  switch error {
  case .notACache, .missing, .lostUnit: Status.noInput
  case .noManifest, .mismatch, .unlike, .corrupt, .truncated, .version, .unstorable: Status.data
  case .locked: Status.tryAgain
  case .diskFull, .io: Status.io
  case .permission: Status.permission
  case .networkFileSystem, .occupied, .uncreatable: Status.cannotCreate
  }
}

private func status(of error: SettingError) -> Int32 {
  switch error.kind {
  case .usage: Status.usage
  case .recipe: Status.configuration
  case .missingFile: Status.noInput
  case .permission: Status.permission
  }
}

private func status(of error: RunError) -> Int32 {
  switch error.kind {
  case .locked: Status.tryAgain
  case .otherConfiguration, .cannotCreate: Status.cannotCreate
  case .diskFull: Status.io
  case .permission: Status.permission
  case .malformed: Status.data
  }
}
