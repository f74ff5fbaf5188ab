import Datasets
import Distillation

extension Settings {
  /// Whether the settings that the method takes over from another one count.
  var usesBorrowedSettings: Bool {
    guard let borrowing = method.borrowing else { return false }
    return SettingKey.named(borrowing.switchKey)?.write(self) == borrowing.value
  }

  /// Refuses settings that contradict each other or would do nothing in this run, and puts aside
  /// those of a recipe that a flag has overridden.
  mutating func settle(by origins: SettingOrigins) throws(SettingError) {
    let explicit = origins.explicit
    try settleSchedule(explicit, origins.recipe)
    if plainViews {
      if explicit.contains("views"), let views, !views.plain {
        throw SettingError(
          .usage,
          "views \(views) does not go with augment none, which shows plain views; leave it out")
      }
      if explicit.contains("sskd.feature_rounds") {
        throw SettingError(
          .usage,
          "sskd.feature_rounds does not go with augment none, which has no rounds; leave it out")
      }
      featureRounds = nil
    }
    if nesterov, momentum == 0 {
      throw SettingError(
        .usage,
        "nesterov is a form of the momentum, which is 0; give --momentum or leave it out",
        about: ["nesterov", "momentum"])
    }
    if explicit.contains("temperature"), !method.needsTeacherLogits {
      throw SettingError(
        .usage,
        "temperature softens the logits that are compared with a teacher's; \(method.rawValue) "
          + "compares none, so leave it out")
    }
    if let borrowing = method.borrowing, !usesBorrowedSettings {
      if let key = borrowing.keys.sorted().first(where: explicit.contains) {
        throw SettingError(
          .usage,
          "\(key) counts only with another setting; "
            + "add --set \(borrowing.switchKey)=\(borrowing.value)")
      }
      // What a recipe says of them is put aside.
      let defaults = Settings(method: method, student: student, dataset: dataset)
      for key in borrowing.keys.compactMap(SettingKey.named) {
        if let value = key.write(defaults) { try key.read(value, &self) }
      }
    }
  }

  private mutating func settleSchedule(
    _ explicit: Set<String>, _ recipe: [String: String]
  ) throws(SettingError) {
    // What a recipe says of one schedule is put aside where a flag has chosen the other.
    let isRecipes = !explicit.contains("schedule")
    switch scheduleName {
    case .multistep:
      if explicit.contains("min_lr") || (isRecipes && minimumLearningRate != 0) {
        throw SettingError(
          .usage, "min_lr is where a cosine ends; it goes with --schedule cosine",
          about: ["min_lr"])
      }
      minimumLearningRate = 0
    case .cosine:
      if let hint = method.ownDrops {
        throw SettingError(
          .usage, "schedule=cosine does not go with \(method.rawValue): \(hint)",
          about: ["schedule", "method"])
      }
      let steps = [("lr_decay", "1"), ("milestones", "none")].first { key, none in
        let isSaid = explicit.contains(key) || (isRecipes && recipe[key] != nil)
        return isSaid && !isNothing(SettingKey.named(key)?.write(self), none)
      }
      if let (key, _) = steps {
        throw SettingError(
          .usage, "\(key) does not go with --schedule cosine, which has no steps; leave it out",
          about: [key])
      }
      guard minimumLearningRate <= learningRate else {
        throw SettingError(
          .usage,
          "min_lr is \(plain(minimumLearningRate)), above the base rate of \(plain(learningRate))",
          about: ["min_lr", "lr"])
      }
      milestones = []
      learningRateDecay = 1
    }
  }
}
