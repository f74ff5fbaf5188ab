package import ArgumentParser
import Experiments
import FileIO
import Foundation
import Reporting
package import Tensors

/// `--threads`.
package struct ThreadOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Worker threads; results do not depend on it.", valueName: "n"))
  package var threads: Int?

  package init() {}

  package func makeExecution() throws -> Execution { Execution(threads: try count()) }

  /// The number given, else that of the processors.
  package func count() throws -> Int {
    let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    guard (1...1024).contains(threads) else {
      throw Failure(Status.usage, "--threads is \(threads); expected 1 to 1024")
    }
    return threads
  }
}

/// Per-channel constants of flags such as `--teacher-mean`, where they were given.
///
/// - Parameter flag: what precedes `mean` and `std` in the flags' names.
package func normalization(
  _ flag: String, mean: String?, std: String?
) throws -> (mean: [Float]?, std: [Float]?) {
  (
    try mean.map { try channelValues("--\(flag)mean", $0, positive: false) },
    try std.map { try channelValues("--\(flag)std", $0, positive: true) }
  )
}

/// Prints on standard output. A reader that went away ends the program quietly, a full disk with 74.
package func printResult(_ text: String, terminator: String = "\n") {
  let code = writeAll(withoutControls(text) + terminator, to: STDOUT_FILENO)
  guard code != 0 else { return }
  leave(
    Failure(
      Status.io,
      code == EPIPE ? "" : "standard output cannot be written: \(String(cString: strerror(code)))"))
}
