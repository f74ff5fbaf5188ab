import ArgumentParser
package import Experiments

/// The flags that are settings: each overrides its `--set` key, a recipe and the default.
///
/// All are optional: a default written here would hide what a recipe says.
package struct SettingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "ce, kd, dkd, bkd, sskd, crld, focal, ldam or la.", valueName: "name"))
  var method: String?
  @Option(help: ArgumentHelp("The network to train, such as resnet20.", valueName: "name"))
  var student: String?
  @Option(
    help: ArgumentHelp(
      "Part of the training set: exp:RATIO, step:RATIO or list:FILE.", valueName: "subset"))
  var subset: String?
  @Option(
    help: ArgumentHelp(
      "The name of a published setting (student-train recipes), or a YAML file such as a run's "
        + "config.yaml or one of mdistiller.",
      valueName: "name|file"))
  var recipe: String?
  @Option(name: .customLong("set"), help: ArgumentHelp("One setting.", valueName: "key=value"))
  var sets: [String] = []
  @Option(help: ArgumentHelp("Passes over the training images.", valueName: "n"))
  var epochs: String?
  @Option(help: ArgumentHelp("Images a step.", valueName: "n"))
  var batchSize: String?
  @Option(help: ArgumentHelp("Base learning rate.", valueName: "x"))
  var lr: String?
  @Option(
    help: ArgumentHelp(
      "multistep, or cosine from the base rate after the warm-up down to min_lr.",
      valueName: "name"))
  var schedule: String?
  @Option(help: ArgumentHelp("Where a cosine ends (default: 0).", valueName: "x"))
  var minLr: String?
  @Option(help: ArgumentHelp("Factor of the rate behind each milestone.", valueName: "x"))
  var lrDecay: String?
  @Option(help: ArgumentHelp("Momentum of SGD.", valueName: "x"))
  var momentum: String?
  @Flag(inversion: .prefixedNo, help: "Nesterov's form of the momentum (default: no).")
  var nesterov: Bool?
  @Option(help: ArgumentHelp("L2 on every parameter.", valueName: "x"))
  var weightDecay: String?
  @Option(help: ArgumentHelp("Epochs behind which the rate drops, or none.", valueName: "list"))
  var milestones: String?
  @Option(help: ArgumentHelp("Epochs of linear warm-up.", valueName: "n"))
  var warmupEpochs: String?
  @Option(help: ArgumentHelp("Softmax temperature of the distillation term.", valueName: "x"))
  var temperature: String?
  @Option(
    help: ArgumentHelp(
      "Part of the labels spread over all classes, in every cross-entropy term.", valueName: "x"))
  var labelSmoothing: String?
  @Option(
    help: ArgumentHelp(
      "Keep a moving average of the weights, such as 0.999, in ema.safetensors.", valueName: "x"))
  var emaDecay: String?
  @Option(
    help: ArgumentHelp(
      "Set this part of each class's training images aside and choose the best epoch on it, not "
        + "on the test set.", valueName: "x"))
  var valFraction: String?
  @Option(help: ArgumentHelp("Evaluate on the test set every n epochs.", valueName: "n"))
  var evalEvery: String?
  @Option(help: ArgumentHelp("Of initial weights and image order.", valueName: "n"))
  var seed: String?
  @Option(
    help: ArgumentHelp(
      "Without a cache, or with --write-through: the views there are, such as weak:4,strong:4 "
        + "(default: one round an epoch).",
      valueName: "list"))
  var views: String?
  @Option(
    help: ArgumentHelp(
      "Without a cache, or with --write-through: seed of the views.", valueName: "n"))
  var viewSeed: String?
  @Option(help: ArgumentHelp("weak, or none for plain views.", valueName: "kind"))
  var augment: String?
  @Option(
    help: ArgumentHelp(
      "The student's normalisation, of values in 0…1.",
      valueName: "r,g,b"))
  var mean: String?
  @Option(help: ArgumentHelp("The student's normalisation.", valueName: "r,g,b"))
  var std: String?

  package init() {}

  /// The recipe that was named, if one was.
  func openRecipe() throws -> Recipe? { try recipe.map(shippedRecipes().recipe) }

  /// What a sweep goes through: the methods, students and recipes are comma-separated lists then.
  package func makePlan(seeds: String?, varied: [String]) throws -> SweepPlan {
    var plan = SweepPlan()
    plan.methods = try SweepPlan.list("--method", method)
    plan.students = try SweepPlan.list("--student", student)
    plan.recipes = try SweepPlan.list("--recipe", recipe)
    plan.seeds = try SweepPlan.list("--seeds", seeds)
    plan.varied = varied
    plan.sets = sets
    plan.flags = given.filter { !["method", "student"].contains($0.key) }
    return plan
  }

  /// (key, value) of every flag that was given.
  var given: [(key: String, value: String)] {
    let flags: [(String, String?)] = [
      ("method", method), ("student", student), ("subset", subset), ("epochs", epochs),
      ("batch_size", batchSize), ("lr", lr), ("schedule", schedule), ("min_lr", minLr),
      ("lr_decay", lrDecay), ("momentum", momentum), ("nesterov", nesterov.map(String.init)),
      ("label_smoothing", labelSmoothing), ("ema_decay", emaDecay), ("val_fraction", valFraction),
      ("weight_decay", weightDecay), ("milestones", milestones),
      ("warmup_epochs", warmupEpochs), ("temperature", temperature), ("eval_every", evalEvery),
      ("seed", seed), ("views", views), ("view_seed", viewSeed), ("augment", augment),
      ("mean", mean), ("std", std),
    ]
    return flags.compactMap { key, value in value.map { (key, $0) } }
  }
}
