import Foundation

/// Writes all of `text` to an open descriptor, such as standard output.
///
/// - Returns: false where it takes no more: a full disk, or a descriptor that is closed; errno says
///   why.
package func writeAll(_ text: String, to descriptor: Int32) -> Bool {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { return false }
    rest = rest.dropFirst(count)
  }
  return true
}
