import Foundation
import Networks
import Synchronization
import TestSupport
import Testing

/// Runs the two programs as a user does and gives what they printed and returned.
struct Program {
  struct Result {
    let status: Int32
    let output: String
    let errors: String
  }

  static let projectFolder = Files.project.path
  static let digits = Files.digits

  /// The programs lie beside the test bundle.
  static let folder = URL(fileURLWithPath: CommandLine.arguments[0])
    .resolvingSymlinksInPath().deletingLastPathComponent().path

  static func process(_ name: String, _ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "\(folder)/\(name)")
    process.arguments = arguments
    return process
  }

  /// Starts a program that signals will be sent to.
  ///
  /// Tests run on threads that block signals, and a child inherits that: it would never hear any.
  static func start(_ name: String, _ arguments: [String]) throws -> Process {
    let process = process(name, arguments)
    process.environment = ProcessInfo.processInfo.environment.filter { $0.key != "SWIFT_BACKTRACE" }
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    var (signals, before) = (sigset_t(), sigset_t())
    sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGILL, SIGTRAP, SIGABRT] {
      sigaddset(&signals, signal)
    }
    pthread_sigmask(SIG_UNBLOCK, &signals, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try process.run()
    return process
  }

  /// - Parameter environment: variables beside the inherited ones.
  static func run(
    _ name: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Result {
    let process = process(name, arguments)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // Both at once: a program that fills the one pipe waits there until somebody reads.
    let errorText = Mutex(Data())
    let reader = Thread { errorText.withLock { $0 = everything(from: errors) } }
    reader.start()
    let text = everything(from: output)
    process.waitUntilExit()
    while !reader.isFinished { usleep(100) }
    let status =
      process.terminationReason == .uncaughtSignal
      ? 128 + process.terminationStatus : process.terminationStatus
    return Result(
      status: status, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: errorText.withLock { $0 }, as: UTF8.self))
  }

  /// Runs a program whose standard error is a terminal.
  ///
  /// - Parameter type: what TERM says of it.
  static func runOnTerminal(
    _ name: String, _ arguments: [String], columns: UInt16, type: String = "xterm"
  ) throws -> (status: Int32, errors: String) {
    let mode = O_RDWR | O_NOCTTY | O_CLOEXEC
    let controller = open("/dev/ptmx", mode)
    try #require(controller >= 0)
    defer { close(controller) }
    // TIOCSPTLCK and TIOCGPTPEER (Linux, ioctl_tty(2)): macros that Swift does not see.
    var isLocked: CInt = 0
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    try #require(ioctl(controller, 0x4004_5431, &isLocked) == 0)
    try #require(ioctl(controller, UInt(TIOCSWINSZ), &size) == 0)
    let terminal = ioctl(controller, 0x5441, mode)
    try #require(terminal >= 0)
    let process = process(name, arguments)
    process.environment = ProcessInfo.processInfo.environment.merging(["TERM": type]) { $1 }
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(fileDescriptor: terminal)
    let started = Swift.Result { try process.run() }
    close(terminal)  // so that the program's own is the last one and the text ends with it
    try started.get()
    let text = everything(from: controller)
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: text, as: UTF8.self))
  }

  static func everything(from pipe: Pipe) -> Data {
    everything(from: pipe.fileHandleForReading.fileDescriptor)
  }

  /// What comes through a pipe or a terminal until it ends. Foundation's own call traps when a
  /// signal, such as that of a child's end, interrupts it.
  static func everything(from descriptor: Int32) -> Data {
    var (all, part) = (Data(), [UInt8](repeating: 0, count: 1 << 16))
    while true {
      let count = read(descriptor, &part, part.count)
      if count > 0 { all.append(contentsOf: part[..<count]) }
      if count == 0 || (count < 0 && errno != EINTR) { return all }
    }
  }

  static func json(_ text: String) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }
}

/// A folder that goes away with the test.
final class Scratch: Sendable {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("commands-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a list file of every 40th digit and gives it as a subset.
  func subset() throws -> String {
    let ids = (0..<100).map { String($0 * 40) }.joined(separator: "\n")
    try Data(ids.utf8).write(to: URL(fileURLWithPath: path + "/images.txt"))
    return "list:\(path)/images.txt"
  }

  /// Writes a small teacher that never learned anything, though it is as sure as one that did, and
  /// gives its path.
  func teacher(
    seed: UInt64 = 5, classes: Int = 10, dataset: String = "mnist"
  ) throws -> String {
    let network = try untrainedTeacher(seed: seed, classes: classes)
    let file = "\(path)/teacher-\(seed).safetensors"
    try network.state(metadata: ["architecture": "resnet8", "dataset": dataset, "format": "pt"])
      .write(to: file)
    return file
  }

  /// Names, sizes and times of everything below: equal when nothing was written.
  func listing() throws -> [String] {
    let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return try names.sorted().map { name in
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
      return "\(name) \(attributes[.size] ?? "") \(attributes[.modificationDate] ?? "")"
    }
  }
}
