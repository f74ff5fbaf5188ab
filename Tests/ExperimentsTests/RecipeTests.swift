import Datasets
import Distillation
import Experiments
import Foundation
import Networks
import Testing

/// The recipes in data/recipes: complete, named after what they are, and as published.
struct RecipeTests {
  private static let folder = URL(fileURLWithPath: SmallJob.data)
    .deletingLastPathComponent().appendingPathComponent("recipes").path
  private static let catalog = RecipeCatalog(named: folder, executable: "/nonexistent")

  private func settings(_ name: String) throws -> Settings {
    try ResolvedSettings(
      flags: [], sets: [], recipe: Self.catalog.recipe(name), dataset: nil
    ).settings
  }

  @Test(arguments: Self.catalog.names)
  func everyRecipeResolvesToWhatItsNameSays(name: String) throws {
    let settings = try settings(name)
    let parts = name.split(separator: "-").map(String.init)
    #expect(settings.dataset.rawValue == parts[0])
    #expect(settings.method.rawValue == parts.last)
    #expect(try Architecture.canonical(settings.student) == settings.student)
    let summary = try #require(
      try Self.catalog.summaries(containing: name).first { $0.name == name })
    #expect(summary.remarks["source"]?.isEmpty == false)
    #expect(summary.remarks["published"]?.isEmpty == false)
    let teacher = try #require(summary.remarks["teacher"]?.split(separator: " ").first)
    if parts[1].hasPrefix("lt") {
      #expect(settings.subset.description == "exp:\(parts[1].dropFirst(2))")
      #expect(settings.student == (settings.method == .ldam ? "resnet32_s_normed" : "resnet32_s"))
      #expect(settings.mean == [0.4914, 0.4822, 0.4465])
      #expect(teacher == ([.kd, .bkd].contains(settings.method) ? "resnet32_s" : "none"))
    } else {
      #expect(settings.subset == .all)
      #expect(settings.student.lowercased() == parts[parts.count - 2])
      #expect(teacher.lowercased() == (settings.method == .ce ? "none" : parts[1]))
    }
  }

  /// methods.md §1.3, §2.3: what all recipes of a family share.
  @Test(arguments: Self.catalog.names)
  func theScheduleIsThePublishedOne(name: String) throws {
    let settings = try settings(name)
    #expect(settings.momentum == 0.9)
    if name.contains("-lt") {
      #expect(settings.epochs == 200)
      #expect(settings.batchSize == 128)
      #expect(settings.learningRate == 0.1)
      #expect(settings.learningRateDecay == 0.01)
      #expect(settings.milestones == [160, 180])
      #expect(settings.warmupEpochs == 5)
      #expect(settings.weightDecay == 2e-4)
      if [.kd, .bkd].contains(settings.method) { #expect(settings.temperature == 2) }
    } else {
      #expect(settings.epochs == 240)
      #expect(settings.batchSize == 64)
      let light = ["MobileNetV2", "ShuffleV1", "ShuffleV2"].contains(settings.student)
      #expect(settings.learningRate == (light ? 0.01 : 0.05))
      #expect(settings.learningRateDecay == 0.1)
      #expect(settings.milestones == (settings.method == .sskd ? [] : [150, 180, 210]))
      #expect(settings.weightDecay == 5e-4)
      if ![.ce, .sskd].contains(settings.method) { #expect(settings.temperature == 4) }
    }
  }

  /// The method is then all that differs: warm-up alone is worth points.
  @Test(arguments: Self.catalog.names.filter { !$0.contains("-lt") && !$0.hasSuffix("sskd") })
  func anotherMethodKeepsTheTrainingOfTheRecipe(name: String) throws {
    let own = try settings(name)
    let other = try ResolvedSettings(
      flags: [(key: "method", value: "bkd")], sets: [], recipe: Self.catalog.recipe(name),
      dataset: nil
    ).settings
    #expect(other.method == .bkd && other.schedule == own.schedule && other.epochs == own.epochs)
    #expect(other.batchSize == own.batchSize && other.weightDecay == own.weightDecay)
    #expect(other.mean == own.mean && other.std == own.std && own.mean != nil)
    if own.method != .ce { #expect(other.temperature == own.temperature) }
  }

  @Test func otherImagesHaveTheirOwnNormalisation() throws {
    let settings = try ResolvedSettings(
      flags: [(key: "dataset", value: "cifar10")], sets: [],
      recipe: Self.catalog.recipe("cifar100-resnet56-resnet20-kd"), dataset: nil
    ).settings
    #expect(settings.mean == nil && settings.recipeNormalization.mean == [0.4914, 0.4822, 0.4465])
  }

  /// methods.md §1.2.
  @Test(arguments: [
    ("resnet56-resnet20", 2.0), ("resnet110-resnet32", 2), ("resnet32x4-resnet8x4", 8),
    ("wrn_40_2-wrn_16_2", 6), ("wrn_40_2-wrn_40_1", 6), ("vgg13-vgg8", 6),
    ("vgg13-mobilenetv2", 6), ("resnet50-mobilenetv2", 8), ("resnet32x4-shufflev1", 8),
    ("resnet32x4-shufflev2", 8), ("wrn_40_2-shufflev1", 8),
  ])
  func decoupledDistillationHasAWeightForEachPair(pair: String, beta: Double) throws {
    let settings = try settings("cifar100-\(pair)-dkd")
    #expect(settings.dkd.beta == beta)
    #expect(settings.dkd.alpha == 1)
    #expect(settings.dkd.ceWeight == 1)
    #expect(settings.dkd.warmup == 20)
  }

  @Test func theTwoLongTailedSetsAreReweightedFromTheirOwnEpochs() throws {
    for ratio in [10, 20, 50, 100, 200] {
      #expect(try settings("cifar10-lt\(ratio)-bkd").bkd.reweightFromEpoch == 160)
      #expect(try settings("cifar100-lt\(ratio)-bkd").bkd.reweightFromEpoch == 0)
      #expect(try settings("cifar100-lt\(ratio)-bkd").bkd.beta == 0.9999)
      let plain = try settings("cifar100-lt\(ratio)-kd")
      #expect(plain.kd.ceWeight == 1)
      #expect(plain.kd.kdWeight == 1)
    }
  }

  /// methods.md §2.4.
  @Test(arguments: ["cifar10", "cifar100"])
  func theBaselinesOfLongTailsAreTheirPapers(dataset: String) throws {
    let margins = try settings("\(dataset)-lt100-ldam").ldam
    #expect(margins.maxMargin == 0.5)
    #expect(margins.scale == 30)
    #expect(margins.beta == 0.9999)
    #expect(margins.reweightFromEpoch == 160)
    let focal = try settings("\(dataset)-lt100-focal").focal
    #expect(focal.gamma == 1)
    #expect(focal.beta == 0)
  }

  /// methods.md §4.2 and the twelve pairs of §4.4.
  @Test(arguments: [
    "resnet110-resnet32", "resnet32x4-resnet8x4", "resnet32x4-shufflev2", "resnet32x4-wrn_16_2",
    "resnet50-mobilenetv2", "resnet56-resnet20", "vgg13-mobilenetv2", "vgg13-vgg8",
    "wrn_40_2-mobilenetv2", "wrn_40_2-resnet8x4", "wrn_40_2-wrn_16_2", "wrn_40_2-wrn_40_1",
  ])
  func crossViewConsistencyIsTheSameForEveryPair(pair: String) throws {
    let weights = try settings("cifar100-\(pair)-crld").crld
    #expect(weights.crossEntropy == 1)
    #expect(weights.withinView == 2)
    #expect(weights.crossView == 0.5)
    #expect(weights.weakThreshold == 0.9)
    #expect(weights.strongThreshold == 0.2)
    #expect(weights.mask.rawValue == "per_loss")
    // Its baseline is there too.
    _ = try settings("cifar100-\(pair)-kd")
  }

  @Test func thePublishedAccuraciesAreTold() throws {
    let published = { (name: String) in
      try #require(try Self.catalog.summaries(containing: name).first).remarks["published"] ?? ""
    }
    #expect(try published("cifar100-resnet56-resnet20-kd").hasPrefix("70.66 % top-1 [C]"))
    #expect(try published("cifar100-resnet56-resnet20-dkd").hasPrefix("71.97 % top-1 [C]"))
    #expect(try published("cifar100-resnet56-resnet20-crld").hasPrefix("72.10 % top-1 [S]"))
    #expect(try published("cifar100-resnet56-ce").hasPrefix("72.34 % top-1 [C]"))
    #expect(try published("cifar100-lt100-ce").hasPrefix("38.82 % top-1 [S]"))
    #expect(try published("cifar100-lt100-bkd").hasPrefix("none"))
  }

  @Test func anUnknownNameIsAnsweredWithTheNearest() throws {
    #expect {
      try Self.catalog.recipe("cifar100-lt100-bdk")
    } throws: { error in
      (error as? SettingError)?.kind == .usage
        && "\(error)".contains("nearest: cifar100-lt100-bkd") && "\(error)".contains(Self.folder)
    }
    #expect(try Self.catalog.recipe("CIFAR100-LT100-bkd").settings.isEmpty == false)
  }

  @Test func theFolderIsFoundAboveTheProgramOrSaidToBeMissing() throws {
    let scratch = FileManager.default.temporaryDirectory
      .appendingPathComponent("catalog-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let recipes = scratch + "/data/recipes"
    try FileManager.default.createDirectory(
      atPath: recipes, withIntermediateDirectories: true)
    try Data("method: ce\n".utf8).write(to: URL(fileURLWithPath: recipes + "/mine.yaml"))
    let found = RecipeCatalog(named: nil, executable: scratch + "/.build/x/release/student-train")
    #expect(found.folder == recipes)
    #expect(found.names == ["mine"])
    let missing = RecipeCatalog(named: scratch + "/nowhere", executable: scratch + "/student-train")
    #expect {
      try missing.recipe("mine")
    } throws: {
      "\($0)".contains(scratch + "/nowhere") && "\($0)".contains("DISTILL_RECIPES")
    }
  }

  @Test(arguments: [
    ("dkdd: {beta: 2}", "dkd.beta"), ("dkd: {beat: 2}", "dkd.beta"), ("dkd: 2", "ce_weight"),
    ("strange: {}", "strange"), ("strange:", "strange"), ("lr: {x: 1}", "lr.x"),
    ("epocs: 3", "epochs"),
  ])
  func unknownKeysAndSectionsAreRefused(text: String, says: String) throws {
    let recipe = try Recipe(path: "mine.yaml", text: text)
    #expect {
      try ResolvedSettings(
        flags: [("method", "dkd"), ("student", "resnet20"), ("dataset", "cifar100")], sets: [],
        recipe: recipe, dataset: nil)
    } throws: { error in
      (error as? SettingError)?.kind == .recipe && "\(error)".contains(says)
    }
  }
}
