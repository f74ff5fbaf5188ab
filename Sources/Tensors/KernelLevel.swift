import CKernels

/// The instruction set that the kernels use.
package enum KernelLevel {
  /// "avx512", "avx2" or "baseline" (SSE2, or NEON on arm64).
  package static var name: String { String(cString: kernel_level_name()) }

  /// What roundings depend on: levels of one arithmetic give the same bits.
  package static var arithmetic: String {
    #if arch(x86_64)
      name == "baseline" ? "x86 without FMA" : "x86 with FMA"
    #else
      "ARM"
    #endif
  }

  /// All names, best first.
  package static let names = ["avx512", "avx2", "baseline"]

  /// Uses at most the named level; false for an unknown name, which changes nothing.
  ///
  /// For the start of a program, before any kernel runs.
  package static func cap(_ name: String) -> Bool { kernel_level_cap(name) != 0 }
}
