import FileIO
import Foundation

/// Progress on standard error: one live line on a terminal, at most ten times a second; plain lines
/// elsewhere, at most one every thirty seconds. The live line goes with this object, so that the message
/// of an error stands on a line of its own.
package final class ProgressLine {
  private let live: Bool
  private let quiet: Bool
  private let clock = ContinuousClock()
  private var lastShown: ContinuousClock.Instant?
  private var shownWidth = 0

  package init(quiet: Bool = false) {
    let terminal = ProcessInfo.processInfo.environment["TERM"] ?? ""
    live = isatty(STDERR_FILENO) == 1 && terminal != "dumb"
    self.quiet = quiet
  }

  deinit { clear() }

  /// Shows where the work is; skipped if the last line is recent.
  ///
  /// - Parameter text: made only when it is shown.
  package func update(_ text: () -> String) {
    guard !quiet else { return }
    let now = clock.now
    let pause: Duration = live ? .milliseconds(100) : .seconds(30)
    // A log gets its first line after half a minute; shorter work needs none.
    if lastShown == nil, !live { lastShown = now }
    if let lastShown, now - lastShown < pause { return }
    lastShown = now
    if live { rewrite(text()) } else { write(text() + "\n") }
  }

  /// Shows how much is done, the rate and the time left; skipped if the last line is recent.
  ///
  /// - Parameters:
  ///   - what: plural noun of what is counted.
  ///   - start: when the first of them began.
  package func update(
    _ done: Int, of total: Int, _ what: String, since start: ContinuousClock.Instant
  ) {
    update { progressText(done, of: total, what, seconds: (clock.now - start) / .seconds(1)) }
  }

  /// Prints a line that stays.
  package func note(_ text: String) {
    guard !quiet else { return }
    clear()
    write(withoutControls(text) + "\n")
  }

  /// Removes the live line.
  package func clear() {
    if live, shownWidth > 0 { write("\r\u{1b}[K") }
    shownWidth = 0
  }

  private func rewrite(_ text: String) {
    // A line that wraps could not be overwritten.
    let line = String(text.prefix(max(terminalWidth() - 1, 1)))
    write("\r" + line + "\u{1b}[K")
    shownWidth = line.count
  }

  /// A log that takes no more is no reason to lose the work.
  private func write(_ text: String) {
    writeAll(text, to: STDERR_FILENO)
  }

  private func terminalWidth() -> Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
