/// What was done to the disk, in order, for tests that replay power cuts; nobody else listens.
package enum DiskChange: Sendable, Equatable {
  case madeDirectory(String), wrote(String), synced(String), removed(String)
  case renamed(String, to: String)

  /// A class, because Swift 6.3 crashes with a closure as an optimised task-local value.
  package final class Observer: Sendable {
    let note: @Sendable (DiskChange) -> Void

    package init(_ note: @escaping @Sendable (DiskChange) -> Void) { self.note = note }
  }

  @TaskLocal package static var observer: Observer?

  package static func note(_ change: DiskChange) { observer?.note(change) }
}
