import Distillation

/// Who named a setting: a flag or `--set`, or the recipe. It tells whose fault a refused one is.
struct SettingOrigins: Sendable {
  /// Keys that a flag or `--set` named.
  let explicit: Set<String>
  /// What the recipe says, by key.
  let recipe: [String: String]
  /// The recipe's file; empty without one.
  let recipePath: String

  /// The same error, of the recipe and with its path where only that names what it is about.
  func attributed(_ error: SettingError) -> SettingError {
    guard error.kind == .usage, explicit.isDisjoint(with: error.keys),
      error.keys.contains(where: { recipe[$0] != nil })
    else { return error }
    return SettingError(.recipe, "\(recipePath): \(error.description)")
  }

  /// Runs what may refuse settings; its errors are attributed.
  func check<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as SettingError {
      throw attributed(error)
    } catch let error as PlanError where error.kind == .settings {
      throw attributed(SettingError(.usage, error.description, about: error.keys))
    }
  }
}
