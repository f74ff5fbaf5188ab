import Datasets
import Distillation
import Experiments
import Testing

/// Configurations in mdistiller's words.
struct MdistillerKeysTests {
  private func recipe(
    _ type: String, solver: String = "  WEIGHT_DECAY: 0.0005\n", _ rest: String = ""
  ) throws -> Recipe {
    let text = """
      EXPERIMENT:
        NAME: ""
        TAG: "small,test"
      DISTILLER:
        TYPE: "\(type)"
        TEACHER: "resnet56"
        STUDENT: "resnet20"
      SOLVER:
        TYPE: "SGD"
      \(solver)\(rest)
      """
    return try Recipe(path: "theirs.yaml", text: text)
  }

  private func settings(_ recipe: Recipe) throws -> Settings {
    try ResolvedSettings(flags: [], sets: [], recipe: recipe, dataset: nil).settings
  }

  @Test func aFileOfDecoupledDistillationIsOurRecipe() throws {
    let theirs = try settings(
      recipe(
        "DKD",
        solver: """
            BATCH_SIZE: 64
            EPOCHS: 240
            LR: 0.05
            LR_DECAY_STAGES: [150, 180, 210]
            LR_DECAY_RATE: 0.1
            WEIGHT_DECAY: 0.0005
            MOMENTUM: 0.9

          """, "DKD:\n  BETA: 2.0\n"))
    var ours = Settings(method: .dkd, student: "resnet20", dataset: .cifar100)
    ours.dkd.beta = 2
    // Its data loader's, which no file can change.
    (ours.mean, ours.std) = ([0.5071, 0.4867, 0.4408], [0.2675, 0.2565, 0.2761])
    #expect(theirs == ours)
  }

  @Test func whatTheFileLeavesOutIsTheirDefaultAndNotOurs() throws {
    let recipe = try Recipe(
      path: "theirs.yaml", text: "DISTILLER: {TYPE: NONE, STUDENT: MobileNetV2}")
    let settings = try settings(recipe)
    #expect(settings.method == .ce)
    #expect(settings.learningRate == 0.05)  // ours for this network is 0.01
    #expect(settings.weightDecay == 1e-4)  // ours is 5e-4
    #expect(recipe.notes.contains { $0.contains("WEIGHT_DECAY") })
    let other = try Recipe(path: "theirs.yaml", text: "SOLVER: {LR: 0.1}")
    #expect(try self.settings(other).student == "resnet32")
  }

  @Test func everySettingOfEveryMethodArrives() throws {
    let kd = try settings(
      recipe("KD", "KD:\n  TEMPERATURE: 3\n  LOSS: {CE_WEIGHT: 0.4, KD_WEIGHT: 0.6}\n"))
    #expect(kd.temperature == 3)
    #expect(kd.kd.ceWeight == 0.4)
    #expect(kd.kd.kdWeight == 0.6)
    let dkd = try settings(
      recipe("DKD", "DKD: {CE_WEIGHT: 0.5, ALPHA: 2, BETA: 3, T: 5, WARMUP: 7}\n"))
    #expect(dkd.temperature == 5)
    #expect(dkd.dkd.ceWeight == 0.5)
    #expect(dkd.dkd.alpha == 2)
    #expect(dkd.dkd.beta == 3)
    #expect(dkd.dkd.warmup == 7)
    let crld = try settings(
      recipe(
        "CRLD", solver: "  TRAINER: \"crld\"\n",
        "CRLD: {CE_WEIGHT: 2, WV_WEIGHT: 3, CV_WEIGHT: 4, TEMPERATURE: 5, TAU_W: 0.6, TAU_S: 0.7}\n"
      ))
    #expect(crld.temperature == 5)
    #expect(crld.crld.crossEntropy == 2)
    #expect(crld.crld.withinView == 3)
    #expect(crld.crld.crossView == 4)
    #expect(crld.crld.weakThreshold == 0.6)
    #expect(crld.crld.strongThreshold == 0.7)
  }

  @Test func whatHasNoMeaningHereIsLeftOutWithANote() throws {
    let recipe = try recipe("KD", "LOG: {WANDB: False, PREFIX: ./out}\nAT: {P: 2}\n")
    let note = try #require(recipe.notes.last)
    for key in ["EXPERIMENT.TAG", "LOG.WANDB", "LOG.PREFIX", "AT.P"] {
      #expect(note.contains(key), "\(note)")
    }
    #expect(recipe.notes.contains { $0.contains("resnet56") })
    #expect(try settings(recipe).method == .kd)
  }

  @Test(arguments: [
    ("AT", "", "DISTILLER.TYPE"), ("KD", "  TRAINER: \"dot\"\n", "SOLVER.TRAINER"),
    ("KD", "  TYPE2: x\n", "SOLVER.TYPE2"), ("KD", "  EPOCH: 3\n", "SOLVER.EPOCHS"),
    ("KD", "  LR_COS: True\n", "SOLVER.LR_COS"), ("KD", "KD: {TEMP: 3}\n", "KD.TEMP"),
    ("CRLD", "CRLD: {BASE: 3}\n", "CRLD.BASE"), ("KD", "epochs: 3\n", "epochs"),
    ("KD", "DATASET: {TYPE: imagenet}\n", "imagenet"),
  ])
  func whatWouldChangeTheResultIsRefusedByName(type: String, line: String, says: String) throws {
    #expect {
      try settings(recipe(type, solver: "  WEIGHT_DECAY: 0.0005\n" + line))
    } throws: { error in
      (error as? SettingError)?.kind == .recipe && "\(error)".contains(says)
    }
  }
}
