import Experiments
import Foundation
import Tensors
import Testing

/// What is found wrong only once data, student and teacher are known is still the recipe's where only
/// that says it.
struct SettingOriginTests {
  @Test(arguments: [
    ("method: sskd\nepochs: 2\nsskd:\n  head_epochs: 5\n", "sskd.head_epochs 5.0 leaves nothing"),
    ("method: sskd\nepochs: 2\nsskd:\n  stage_epochs: [1, 1]\n", "2 numbers for 3 stages"),
    ("method: crld\nepochs: 2\nviews: weak:2\n", "add strong:N"),
    ("method: ldam\nepochs: 2\n", "resnet32_s_normed"),
  ])
  func aRecipesContradictionNamesIt(text: String, says: String) throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    let path = job.folder + "/recipe.yaml"
    try Data("student: resnet8\nbatch_size: 8\nsubset: \(job.subset)\n\(text)".utf8).write(
      to: URL(fileURLWithPath: path))
    let recipe = try Recipe.read(path)
    func refusal(_ flags: [(key: String, value: String)]) -> SettingError? {
      do {
        _ = try TrainingSession(
          teacher: .live(job.teacher, architecture: nil, mean: nil, std: nil), dataPath: job.data,
          initialWeights: nil,
          flags: [("dataset", "mnist")] + flags, sets: [], recipe: recipe,
          execution: Execution(threads: 1))
      } catch let error as SettingError { return error } catch { Issue.record(error) }
      return nil
    }
    let recipes = try #require(refusal([]))
    #expect(recipes.description.hasPrefix(path + ": ") && recipes.description.contains(says))
    #expect(recipes.kind == .recipe)
    // A flag that has its part in it is the user's.
    let settings = recipe.settings.filter { $0.key == "method" || $0.key.hasPrefix("sskd.") }
    let others = [("batch_size", "7"), ("student", "resnet8")]
    for flags in [settings.map { ($0.key, $0.value) }] + (text.contains("sskd") ? [others] : []) {
      let own = try #require(refusal(flags))
      #expect(own.kind == .usage && own.description.contains(says), "\(own)")
      #expect(!own.description.contains(path))
    }
  }
}
