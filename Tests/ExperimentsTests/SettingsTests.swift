import Datasets
import Distillation
import Experiments
import Testing

struct SettingsTests {
  private func resolve(
    _ flags: [(key: String, value: String)], sets: [String] = [], recipe: String? = nil,
    dataset: DatasetName? = nil
  ) throws -> Settings {
    let recipe = try recipe.map { try Recipe(path: "recipe.yaml", text: $0) }
    return try ResolvedSettings(
      flags: flags, sets: sets, recipe: recipe, dataset: dataset
    ).settings
  }

  private func base(_ method: String) -> [(key: String, value: String)] {
    [("method", method), ("student", "resnet20"), ("dataset", "cifar100")]
  }

  @Test func balancedDistillationHasItsOwnRecipe() throws {
    let settings = try resolve(base("bkd"))
    #expect(settings.epochs == 200)
    #expect(settings.batchSize == 128)
    #expect(settings.learningRate == 0.1)
    #expect(settings.learningRateDecay == 0.01)
    #expect(settings.milestones == [160, 180])
    #expect(settings.warmupEpochs == 5)
    #expect(settings.weightDecay == 2e-4)
    #expect(settings.temperature == 2)
    #expect(settings.bkd.reweightFromEpoch == 0)
    #expect(settings.recipeNormalization.mean == [0.4914, 0.4822, 0.4465])
    let onCIFAR10 = try resolve([
      ("method", "bkd"), ("student", "resnet32_s"), ("dataset", "cifar10"),
    ])
    #expect(onCIFAR10.bkd.reweightFromEpoch == 160)
  }

  @Test(arguments: ["focal", "ldam", "la"])
  func longTailBaselinesHaveTheRecipeOfBalancedDistillation(method: String) throws {
    let settings = try resolve(base(method))
    let balanced = try resolve(base("bkd"))
    #expect(settings.epochs == 200 && settings.batchSize == 128)
    #expect(settings.schedule == balanced.schedule)
    #expect(settings.weightDecay == 2e-4)
    #expect(settings.recipeNormalization.mean == balanced.recipeNormalization.mean)
    #expect(settings.ldam.reweightFromEpoch == 160)
  }

  @Test(arguments: [
    ("kd", "min_lr=0.1", "--schedule cosine"), ("kd", "schedule=linear", "multistep"),
    ("sskd", "schedule=cosine", "sskd.drops"), ("kd", "label_smoothing=1", "below 1"),
    ("kd", "lr=0x10", "expected a number"), ("kd", "momentum=nan", "expected a number"),
    ("kd", "temperature=101", "at most 100"), ("kd", "mean=0x1,0,0", "expected three numbers"),
    ("sskd", "sskd.head_epochs=1,2", "expected a number"), ("sskd", "sskd.head_lr=0", "above 0"),
    ("kd", "ema_decay=1", "below 1"), ("kd", "val_fraction=1", "below 1"),
    ("crld", "dkd.beta=2", "crld.base=dkd"), ("crld", "dkd.warmup=2", "a setting of dkd"),
    ("crld", "crld.base=bkd", "kd, dkd"), ("ce", "focal.gamma=1", "a setting of focal"),
    ("ce", "temperature=2", "compares none"), ("sskd", "temperature=2", "compares none"),
  ])
  func optionsThatWouldDoNothingAreRefused(method: String, set: String, says: String) {
    #expect {
      try resolve(base(method), sets: [set])
    } throws: {
      ($0 as? SettingError)?.kind == .usage && "\($0)".contains(says)
    }
  }

  @Test func aCosineHasNoStepsAndNesterovNeedsAMomentum() throws {
    for set in ["milestones=5", "lr_decay=0.5", "min_lr=0.06"] {
      #expect(throws: SettingError.self) {
        try resolve(base("kd"), sets: ["schedule=cosine", set])
      }
    }
    #expect(throws: SettingError.self) {
      try resolve(base("kd"), sets: ["nesterov=true", "momentum=0"])
    }
    // What says that there are none is no contradiction.
    let without = ["schedule=cosine", "milestones=none", "lr_decay=1"]
    #expect(try resolve(base("kd"), sets: without).scheduleName == .cosine)
    // What a recipe says about steps falls away, so that it can be tried with a cosine.
    let settings = try resolve(
      base("kd") + [("schedule", "cosine")], recipe: "milestones: [1, 2]\nlr_decay: 0.3\n")
    #expect(
      settings.schedule == .cosine(base: 0.05, minimum: 0, epochs: 240, warmupEpochs: 0))
    #expect(settings.unreachedEpochs.isEmpty)
  }

  @Test func aListWithoutValuesIsNone() throws {
    #expect(try resolve(base("kd"), sets: ["milestones=none"]).milestones.isEmpty)
    let error = #expect(throws: SettingError.self) {
      try resolve(base("kd"), sets: ["milestones="])
    }
    #expect(error?.description.contains("milestones is \"\"; expected a whole number") == true)
  }

  @Test func configurationsWithOptionsReadBackAsThemselves() throws {
    let crossView = try resolve(
      base("crld"), sets: ["crld.base=dkd", "dkd.beta=2", "schedule=cosine", "min_lr=0.001"])
    #expect(crossView.dkd.beta == 2)
    let yaml = RunConfiguration(settings: crossView, inputs: []).yaml
    #expect(yaml.contains("dkd:\n  alpha: 1\n  beta: 2\n"))
    #expect(try resolve([], recipe: yaml) == crossView)
    let plain = try resolve(base("crld"))
    #expect(!RunConfiguration(settings: plain, inputs: []).yaml.contains("dkd:"))
  }

  @Test func aRunFromBeforeASettingExistedHasItsDefault() throws {
    let settings = try resolve(base("kd"))
    let configuration = RunConfiguration(settings: settings, inputs: [("cache_id", "a")])
    let older = configuration.yaml.split(separator: "\n")
      .filter { !$0.hasPrefix("schedule") && !$0.hasPrefix("ema_decay") }.joined(separator: "\n")
    #expect(configuration.firstDifference(from: older) == nil)
    let averaged = RunConfiguration(
      settings: try resolve(base("kd"), sets: ["ema_decay=0.9"]), inputs: [("cache_id", "a")])
    let difference = try #require(averaged.firstDifference(from: older))
    #expect(difference == ("ema_decay", "0.9", "0"))
  }

  @Test(arguments: ["ce", "kd", "dkd", "crld", "sskd"])
  func everyOtherMethodHasThatOfMdistiller(method: String) throws {
    let settings = try resolve(base(method))
    #expect(settings.epochs == 240)
    #expect(settings.batchSize == 64)
    #expect(settings.learningRate == 0.05)
    #expect(settings.weightDecay == 5e-4)
    #expect(settings.milestones == (method == "sskd" ? [] : [150, 180, 210]))
    #expect(settings.temperature == 4)
  }

  @Test func lightNetworksStartAtALowerRate() throws {
    let settings = try resolve([
      ("method", "kd"), ("student", "ShuffleV1"), ("dataset", "cifar100"),
    ])
    #expect(settings.learningRate == 0.01)
  }

  @Test func flagsWinOverSetsOverRecipesOverDefaults() throws {
    let recipe = "method: dkd\nstudent: resnet8\nepochs: 7\nlr: 0.3\ndkd:\n  beta: 2\n"
    let settings = try resolve(
      [("dataset", "cifar10"), ("epochs", "9")], sets: ["epochs=8", "lr=0.2"], recipe: recipe)
    #expect(settings.method == .dkd)
    #expect(settings.student == "resnet8")
    #expect(settings.epochs == 9)
    #expect(settings.learningRate == 0.2)
    #expect(settings.dkd.beta == 2)
    #expect(settings.dkd.alpha == 1)
  }

  @Test(arguments: [
    ("batch_size", "0"), ("lr", "nan"), ("lr", "-1"), ("lr", "inf"), ("epochs", "1.5"),
    ("epochs", ""), ("momentum", "1"), ("milestones", "20,10"), ("milestones", "a"),
    ("temperature", "0"), ("seed", "-1"), ("augment", "strong"), ("mean", "1,2"),
    ("std", "0,1,1"), ("views", "weak:0"), ("views", "strange:1"), ("method", "kdd"),
    ("subset", "exp:0"), ("subset", "half"), ("eval_every", "0"), ("kd.ce_weight", "x"),
  ])
  func sillyValuesAreRefusedWithWhatWasExpected(key: String, value: String) {
    #expect {
      try resolve(base("kd"), sets: ["\(key)=\(value)"])
    } throws: { error in
      let error = error as? SettingError
      return error?.kind == .usage && error?.description.isEmpty == false
    }
  }

  @Test func unknownKeysAreRefusedWithTheNearestName() {
    #expect {
      try resolve(base("dkd"), sets: ["dkd.bta=2"])
    } throws: {
      "\($0)".contains("did you mean dkd.beta?")
    }
    #expect {
      try resolve(base("kd"), sets: ["dkd.beta=2"])
    } throws: {
      "\($0)".contains("a setting of dkd")
    }
    #expect {
      try resolve(base("kd"), recipe: "epoch: 2")
    } throws: {
      ($0 as? SettingError)?.kind == .recipe && "\($0)".contains("epochs")
    }
  }

  @Test func theDataSetOfACacheCannotBeContradicted() throws {
    #expect(throws: SettingError.self) { try resolve(base("kd"), dataset: .cifar10) }
    #expect(
      try resolve([("method", "kd"), ("student", "resnet8")], dataset: .cifar10).dataset
        == .cifar10)
  }

  @Test(arguments: MethodName.allCases)
  func aConfigurationReadsBackAsItself(method: MethodName) throws {
    var settings = Settings(method: method, student: "resnet20", dataset: .cifar100)
    settings.learningRate = 0.0123
    settings.subset = .exponential(100)
    settings.views = ViewSet(weak: 4, strong: 6)
    settings.mean = [0.5071, 0.4867, 0.4408]
    settings.milestones = method == .sskd ? [] : [3, 5]
    if method == .sskd {
      settings.sskd.stages = [
        TapPair(student: "stage1", teacher: "stage1"),
        TapPair(student: "stage3", teacher: "stage2"),
      ]
      settings.sskd.headLearningRate = 0.005
    }
    let configuration = RunConfiguration(
      settings: settings, inputs: [("cache_id", "0123456789012345")])
    let read = try resolve([], recipe: configuration.yaml)
    #expect(read == settings)
    let again = RunConfiguration(settings: read, inputs: configuration.inputs)
    #expect(again.yaml == configuration.yaml)
  }

  @Test func theFieldThatDiffersIsNamed() throws {
    let settings = Settings(method: .dkd, student: "resnet20", dataset: .cifar100)
    var other = settings
    other.dkd.beta = 2
    let a = RunConfiguration(settings: settings, inputs: [("cache_id", "a")])
    let b = RunConfiguration(settings: other, inputs: [("cache_id", "a")])
    let difference = try #require(a.firstDifference(from: b.yaml))
    #expect(difference == ("dkd.beta", "8", "2"))
    #expect(a.firstDifference(from: a.yaml) == nil)
    let c = RunConfiguration(settings: settings, inputs: [("cache_id", "b")])
    #expect(a.firstDifference(from: c.yaml)?.field == "inputs.cache_id")
  }

  @Test(arguments: [
    "epochs: [1, [2]]", "epochs: {", "- 1\n- 2", "just text", "a: &x {b: 1}\nc: *y",
    "lr: 1\nlr: 2", "epochs: 0",
  ])
  func malformedRecipesAreRefused(text: String) {
    #expect {
      try resolve(base("kd"), recipe: text)
    } throws: {
      ($0 as? SettingError)?.kind == .recipe
    }
  }

  @Test func anAliasBombIsRefusedQuickly() {
    var text = "a0: &a0 [x]\n"
    for i in 1...40 { text += "a\(i): &a\(i) {p: *a\(i - 1), q: *a\(i - 1)}\n" }
    #expect(throws: SettingError.self) { try resolve(base("kd"), recipe: text) }
  }

  @Test func whatARunIsTooShortToReachIsSaid() {
    var settings = Settings(method: .bkd, student: "resnet32_s", dataset: .cifar10)
    settings.epochs = 10
    let notes = settings.unreachedEpochs
    #expect(notes.contains { $0.contains("milestone 160") })
    #expect(notes.contains { $0.contains("re-weighting starts at epoch 160") })
    settings.epochs = 200
    #expect(settings.unreachedEpochs.isEmpty)
    settings.warmupEpochs = 1
    #expect(settings.unreachedEpochs.contains { $0.contains("warm-up of one epoch") })
    var margins = Settings(method: .ldam, student: "resnet32_s_normed", dataset: .cifar10)
    margins.epochs = 160
    #expect(margins.unreachedEpochs.contains { $0.contains("ldam.reweight_from_epoch") })
    margins.epochs = 200
    #expect(margins.unreachedEpochs.isEmpty)
    var weighted = Settings(method: .ce, student: "resnet32_s", dataset: .cifar10)
    #expect(weighted.unreachedEpochs.isEmpty)
    weighted.ce.reweightFromEpoch = weighted.epochs
    #expect(weighted.unreachedEpochs.contains { $0.contains("no effect without ce.beta") })
    weighted.ce.beta = 0.9999
    #expect(weighted.unreachedEpochs.contains { $0.contains("ce.reweight_from_epoch lower") })
    weighted.ce.reweightFromEpoch -= 1
    #expect(weighted.unreachedEpochs.isEmpty)
  }

  /// A value or a contradiction of the recipe's own is the recipe's fault, and names it.
  @Test(arguments: [
    ("kd", "student: resnet21", "resnet21"), ("kd", "min_lr: 0.01", "cosine ends"),
    ("kd", "schedule: cosine\nmilestones: [3, 4]", "milestones does not go"),
    ("kd", "schedule: cosine\nlr_decay: 0.3", "lr_decay does not go"),
    ("sskd", "milestones: [3, 4]", "milestones does not go"),
    ("sskd", "warmup_epochs: 2", "warmup_epochs does not go"),
  ])
  func aRecipeThatContradictsItselfIsRefused(method: String, text: String, says: String) throws {
    let rest = text.contains("student") ? "" : "student: resnet8\n"
    let error = #expect(throws: SettingError.self) {
      try resolve([], recipe: "method: \(method)\ndataset: cifar10\n\(rest)\(text)\n")
    }
    #expect(error?.kind == .recipe && error?.description.contains("recipe.yaml: ") == true)
    #expect(error?.description.contains(says) == true, "\(String(describing: error))")
  }

  /// What says that there is nothing is none; what a flag has chosen away is put aside.
  @Test func whatARecipeSaysForAnotherMethodOrScheduleIsPutAside() throws {
    let neutral = try resolve(
      base("sskd"), recipe: "milestones: none\nwarmup_epochs: 0\nlr: 0.3\n")
    #expect(neutral.learningRate == 0.3)
    #expect(try resolve(base("sskd"), recipe: "milestones: [3]\n").milestones == [])
    let cosine = "schedule: cosine\nmilestones: none\nlr_decay: 1.0\nmin_lr: 0.01\n"
    #expect(try resolve(base("kd"), recipe: cosine).minimumLearningRate == 0.01)
    let stepped = try resolve(base("kd") + [("schedule", "multistep")], recipe: cosine)
    #expect(stepped.minimumLearningRate == 0)
  }

  @Test(arguments: [
    ("kd", "views=weak:7", "augment none"), ("sskd", "sskd.feature_rounds=5", "augment none"),
  ])
  func whatPlainViewsDoNotHaveIsRefused(method: String, set: String, says: String) throws {
    let error = #expect(throws: SettingError.self) {
      try resolve(base(method) + [("augment", "none")], sets: [set])
    }
    #expect(error?.kind == .usage && error?.description.contains(says) == true)
    _ = try resolve(base("kd") + [("augment", "none")], sets: ["views=plain,weak:7"])
  }
}
