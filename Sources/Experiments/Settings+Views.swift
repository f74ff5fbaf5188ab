extension Settings {
  /// Takes over the views of the run that a folder holds, so that the same command goes on with it
  /// although its cache holds more views by now. Rounds of features that were asked for stay.
  ///
  /// - Parameter onlyFeatures: leaves the other views, which a run that writes through was asked for.
  /// - Returns: whether that was a run from this cache; nothing is changed otherwise.
  mutating func takeViews(
    ofRunIn folder: String, cacheID: String, onlyFeatures: Bool = false
  ) -> Bool {
    guard let run = try? Recipe.read(folder + "/config.yaml"), run.inputs["cache_id"] == cacheID
    else { return false }
    let names =
      (onlyFeatures ? [] : ["views"]) + (featureRounds == nil ? ["sskd.feature_rounds"] : [])
    var taken = self
    for key in SettingKey.all where names.contains(key.name) {
      guard let text = run.settings.first(where: { $0.key == key.name })?.value else { continue }
      do { try key.read(text, &taken) } catch { return false }
    }
    self = taken
    return true
  }
}
