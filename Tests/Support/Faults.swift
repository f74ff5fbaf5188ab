import Foundation

/// How much the fault tests do: little in every change's test run, all with `FAULT_TESTS=full`.
package func faultCount(_ few: Int, full: Int) -> Int {
  ProcessInfo.processInfo.environment["FAULT_TESTS"] == "full" ? full : few
}

/// Whether this process may mount file systems; root in a container often may not.
package let mayMount: Bool =
  succeeds("unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt")

/// Runs a program without a word; false where it fails or is not there.
@discardableResult
package func succeeds(_ words: String...) -> Bool {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = words
  (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
  guard (try? process.run()) != nil else { return false }
  process.waitUntilExit()
  return process.terminationStatus == 0
}
