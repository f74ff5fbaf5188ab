import Datasets
import TeacherCache
import Tensors

/// What `--version` prints: the version, what two installations must have in common to share a
/// cache, and the kernels that this processor gets.
package enum ProgramVersion {
  package static let number = "1.0.0"

  package static var text: String {
    let rules = Set(DatasetName.allCases.flatMap(\.info.augmentations.values)).sorted()
    return """
      teacher-cache \(number)
      cache format: \(CacheIdentity.currentVersion)
      augmentations: \(rules.joined(separator: ", "))
      kernels here: \(KernelLevel.name)
      """
  }
}
