package import Experiments
import Foundation

/// The recipes that come with this program: in the folder that the environment variable
/// `DISTILL_RECIPES` names, else in `data/recipes` beside the program or above it.
package func shippedRecipes() -> RecipeCatalog {
  let named = ProcessInfo.processInfo.environment["DISTILL_RECIPES"]
  return RecipeCatalog(
    named: named.flatMap { $0.isEmpty ? nil : $0 }, executable: executablePath())
}

/// The file of this program, wherever it was started from and through whatever link.
package func executablePath() -> String {
  (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    ?? CommandLine.arguments[0]
}
