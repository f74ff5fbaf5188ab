import Datasets
import Distillation
import Foundation

/// A setting by its name in `--set`, recipes and config.yaml: how it is read and how it is written.
package struct SettingKey: Sendable {
  package let name: String
  let read: @Sendable (String, inout Settings) throws(SettingError) -> Void
  /// nil: left at "decided by the run".
  let write: @Sendable (Settings) -> String?

  /// The method that a dotted key belongs to; nil for settings of every run.
  package var method: String? {
    name.contains(".") ? name.split(separator: ".").first.map(String.init) : nil
  }

  /// Those that a run of a method may have, in the order of config.yaml.
  package static func keys(of method: MethodName) -> [SettingKey] {
    all.filter {
      $0.method == nil || $0.method == method.rawValue
        || method.borrowing?.keys.contains($0.name) ?? false
    }
  }

  /// Those that decide about a run with these settings, in the order of config.yaml.
  package static func keys(of settings: Settings) -> [SettingKey] {
    let borrowed = settings.method.borrowing?.keys ?? []
    return keys(of: settings.method).filter {
      !borrowed.contains($0.name) || settings.usesBorrowedSettings
    }
  }

  static func named(_ name: String) -> SettingKey? { all.first { $0.name == name } }

  package static let all: [SettingKey] = [
    SettingKey(name: "method") { text, s throws(SettingError) in
      guard let method = MethodName(rawValue: text.lowercased()) else {
        throw unknown("method", text, MethodName.allCases.map(\.rawValue))
      }
      s.method = method
    } write: {
      $0.method.rawValue
    },
    SettingKey(name: "student") { text, s in
      s.student = text
    } write: {
      $0.student
    },
    SettingKey(name: "dataset") { text, s throws(SettingError) in
      try usage { () throws(DatasetError) in s.dataset = try DatasetName(parsing: text) }
    } write: {
      $0.dataset.rawValue
    },
    SettingKey(name: "subset") { text, s throws(SettingError) in
      try usage { () throws(DatasetError) in s.subset = try Subset(parsing: text) }
      // Whoever repeats the run may begin in another folder.
      if case .list(let file) = s.subset, !file.hasPrefix("/") {
        s.subset = .list(FileManager.default.currentDirectoryPath + "/" + file)
      }
    } write: {
      $0.subset.description
    },
    count("epochs", \.epochs, 1...1_000_000),
    count("batch_size", \.batchSize, 1...65_536),
    number("lr", \.learningRate, above: 0),
    choice("schedule", \.scheduleName),
    number("min_lr", \.minimumLearningRate, from: 0),
    number("lr_decay", \.learningRateDecay, above: 0, to: 1),
    SettingKey(name: "milestones") { text, s throws(SettingError) in
      s.milestones = try integers("milestones", text)
    } write: {
      $0.milestones.isEmpty ? "none" : $0.milestones.map(String.init).joined(separator: ",")
    },
    count("warmup_epochs", \.warmupEpochs, 0...1_000_000),
    number("momentum", \.momentum, from: 0, below: 1),
    flag("nesterov", \.nesterov),
    number("weight_decay", \.weightDecay, from: 0),
    number("temperature", \.temperature, above: 0, to: 100),
    number("label_smoothing", \.labelSmoothing, from: 0, below: 1),
    number("ema_decay", \.averageDecay, from: 0, below: 1),
    number("val_fraction", \.validationFraction, from: 0, below: 1),
    count("eval_every", \.evalEvery, 1...1_000_000),
    seed("seed", \.seed),
    SettingKey(name: "views") { text, s throws(SettingError) in
      try usage { () throws(DatasetError) in s.views = try ViewSet(parsing: text) }
    } write: {
      $0.views.flatMap { $0.isEmpty ? nil : $0.description }
    },
    seed("view_seed", \.viewSeed),
    SettingKey(name: "augment") { text, s throws(SettingError) in
      guard ["weak", "none"].contains(text) else {
        throw unknown("augment", text, ["weak", "none"])
      }
      s.plainViews = text == "none"
    } write: {
      $0.plainViews ? "none" : "weak"
    },
    channels("mean", \.mean, positive: false),
    channels("std", \.std, positive: true),
    number("ce.beta", \.ce.beta, from: 0, below: 1),
    count("ce.reweight_from_epoch", \.ce.reweightFromEpoch, 0...1_000_000),
    number("kd.ce_weight", \.kd.ceWeight, from: 0),
    number("kd.kd_weight", \.kd.kdWeight, from: 0),
    number("dkd.ce_weight", \.dkd.ceWeight, from: 0),
    number("dkd.alpha", \.dkd.alpha, from: 0),
    number("dkd.beta", \.dkd.beta, from: 0),
    count("dkd.warmup", \.dkd.warmup, 0...1_000_000),
    number("bkd.alpha", \.bkd.alpha, from: 0),
    number("bkd.beta", \.bkd.beta, from: 0, below: 1),
    count("bkd.reweight_from_epoch", \.bkd.reweightFromEpoch, 0...1_000_000),
    flag("sskd.freeze", \.sskd.freeze),
    flag("sskd.joint", \.sskd.joint),
    choice("sskd.norm", \.sskd.norm),
    SettingKey(name: "sskd.stages") { text, s throws(SettingError) in
      s.sskd.stages = try pairs("sskd.stages", text)
    } write: {
      $0.sskd.stages.isEmpty
        ? nil : $0.sskd.stages.map { "\($0.student):\($0.teacher)" }.joined(separator: ",")
    },
    SettingKey(name: "sskd.stage_epochs") { text, s throws(SettingError) in
      s.sskd.stageEpochs = try numbers("sskd.stage_epochs", text, above: 0, to: 1_000_000)
    } write: {
      $0.sskd.stageEpochs.isEmpty
        ? nil : $0.sskd.stageEpochs.map(plain).joined(separator: ",")
    },
    optional("sskd.head_epochs", \.sskd.headEpochs, above: 0, to: 1_000_000),
    optional("sskd.head_lr", \.sskd.headLearningRate, above: 0),
    SettingKey(name: "sskd.drops") { text, s throws(SettingError) in
      s.sskd.drops = text == "none" ? [] : try numbers("sskd.drops", text, above: 0, to: 1)
    } write: {
      $0.sskd.drops.isEmpty ? "none" : $0.sskd.drops.map(plain).joined(separator: ",")
    },
    SettingKey(name: "sskd.feature_rounds") { text, s throws(SettingError) in
      s.featureRounds = try integer("sskd.feature_rounds", text, 0...View.roundLimit)
    } write: {
      $0.featureRounds.map(String.init)
    },
    number("crld.ce_weight", \.crld.crossEntropy, from: 0),
    number("crld.wv_weight", \.crld.withinView, from: 0),
    number("crld.cv_weight", \.crld.crossView, from: 0),
    number("crld.tau_w", \.crld.weakThreshold, from: 0, to: 1),
    number("crld.tau_s", \.crld.strongThreshold, from: 0, to: 1),
    choice("crld.mask", \.crld.mask),
    choice("crld.base", \.crld.base),
    number("focal.gamma", \.focal.gamma, from: 0),
    number("focal.beta", \.focal.beta, from: 0, below: 1),
    number("ldam.max_margin", \.ldam.maxMargin, from: 0),
    number("ldam.scale", \.ldam.scale, above: 0),
    number("ldam.beta", \.ldam.beta, from: 0, below: 1),
    count("ldam.reweight_from_epoch", \.ldam.reweightFromEpoch, 0...1_000_000),
    number("la.tau", \.la.tau, from: 0),
  ]
}
