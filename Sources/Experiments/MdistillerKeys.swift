import Datasets

/// The settings of an mdistiller configuration file in our words.
///
/// Keys and their defaults are those of mdistiller's `engine/cfg.py`, and for `CRLD` those of the
/// code of arXiv 2412.16493, which is built on it. What a file leaves out has mdistiller's
/// default and not ours: its weight decay is then 1e-4. What only concerns its logs, its speed or
/// methods that the file does not choose is left out with a note; what would change the result
/// and does not exist here is refused by name.
enum MdistillerKeys {
  typealias Setting = (key: String, value: String)

  /// Whether a file speaks mdistiller's language: it has one of its sections.
  static func areUsed(in keys: [String]) -> Bool {
    keys.contains { sections.contains(section(of: $0)) }
  }

  /// - Throws: ``SettingError`` of kind `.recipe` for keys that mdistiller does not have and for
  ///   what cannot be done here.
  static func translate(
    _ found: [Setting], path: String
  ) throws(SettingError) -> (settings: [Setting], notes: [String]) {
    func refused(_ text: String) -> SettingError { SettingError(.recipe, "\(path): \(text)") }
    var values: [String: String] = [:]
    for (key, value) in found { values[key] = value }
    let type = values["DISTILLER.TYPE"] ?? "NONE"
    guard let method = methods.first(where: { $0.type == type }) else {
      throw refused(
        "DISTILLER.TYPE is \(type); of mdistiller's methods there are "
          + methods.map(\.type).joined(separator: ", ") + " here")
    }
    let mapped = common + method.keys
    var ignored: [String] = []
    for (key, value) in found {
      if mapped.contains(where: { $0.theirs == key }) || key == "DISTILLER.TYPE" { continue }
      // A file's place on somebody's machine.
      if key == "DISTILLER.TEACHER" { continue }
      if let only = fixed.first(where: { $0.key == key }) {
        guard only.values(method.type).contains(value) else {
          throw refused(
            "\(key) is \(value); here it can only be "
              + only.values(method.type).joined(separator: " or "))
        }
      } else if isWithoutMeaning(key)
        || section(of: key) != type && methodSections.contains(section(of: key))
      {
        ignored.append(key)
      } else {
        let near = nearestName(to: key, among: mapped.map(\.theirs)).map { "; did you mean \($0)?" }
        throw refused(
          "the key \(key) of an mdistiller file cannot be followed here\(near ?? "")")
      }
    }
    var settings: [Setting] = [("method", method.name)]
    for key in mapped { settings.append((key.ours, values[key.theirs] ?? key.unset)) }
    // What its trainer does and its files cannot say.
    settings.append(("warmup_epochs", "0"))
    let info = DatasetName.cifar100.info
    for (key, values) in [("mean", info.mean), ("std", info.std)] {
      settings.append((key, values.map(\.description).joined(separator: ",")))
    }
    var notes: [String] = []
    if values["SOLVER.WEIGHT_DECAY"] == nil {
      notes.append("\(path) sets no SOLVER.WEIGHT_DECAY; mdistiller's default is 0.0001")
    }
    if let teacher = values["DISTILLER.TEACHER"] {
      notes.append("\(path) means the teacher \(teacher); the one that counts is that of the cache")
    }
    if !ignored.isEmpty {
      notes.append("\(path): without meaning here: \(ignored.joined(separator: ", "))")
    }
    return (settings, notes)
  }

  /// A key, ours, and mdistiller's default.
  private struct Key: Sendable {
    let theirs: String
    let ours: String
    let unset: String

    init(_ theirs: String, _ ours: String, unset: String) {
      self.theirs = theirs
      self.ours = ours
      self.unset = unset
    }
  }

  private static let common = [
    Key("DATASET.TYPE", "dataset", unset: "cifar100"),
    Key("DISTILLER.STUDENT", "student", unset: "resnet32"),
    Key("SOLVER.EPOCHS", "epochs", unset: "240"),
    Key("SOLVER.BATCH_SIZE", "batch_size", unset: "64"),
    Key("SOLVER.LR", "lr", unset: "0.05"),
    Key("SOLVER.LR_DECAY_STAGES", "milestones", unset: "150,180,210"),
    Key("SOLVER.LR_DECAY_RATE", "lr_decay", unset: "0.1"),
    Key("SOLVER.WEIGHT_DECAY", "weight_decay", unset: "0.0001"),
    Key("SOLVER.MOMENTUM", "momentum", unset: "0.9"),
  ]

  private static let methods: [(type: String, name: String, keys: [Key])] = [
    ("NONE", "ce", []),
    (
      "KD", "kd",
      [
        Key("KD.TEMPERATURE", "temperature", unset: "4"),
        Key("KD.LOSS.CE_WEIGHT", "kd.ce_weight", unset: "0.1"),
        Key("KD.LOSS.KD_WEIGHT", "kd.kd_weight", unset: "0.9"),
      ]
    ),
    (
      "DKD", "dkd",
      [
        Key("DKD.T", "temperature", unset: "4"),
        Key("DKD.CE_WEIGHT", "dkd.ce_weight", unset: "1"),
        Key("DKD.ALPHA", "dkd.alpha", unset: "1"),
        Key("DKD.BETA", "dkd.beta", unset: "8"),
        Key("DKD.WARMUP", "dkd.warmup", unset: "20"),
      ]
    ),
    (
      "CRLD", "crld",
      [
        Key("CRLD.TEMPERATURE", "temperature", unset: "4"),
        Key("CRLD.CE_WEIGHT", "crld.ce_weight", unset: "1"),
        Key("CRLD.WV_WEIGHT", "crld.wv_weight", unset: "2"),
        Key("CRLD.CV_WEIGHT", "crld.cv_weight", unset: "0.5"),
        Key("CRLD.TAU_W", "crld.tau_w", unset: "0.9"),
        Key("CRLD.TAU_S", "crld.tau_s", unset: "0.2"),
      ]
    ),
  ]

  /// Keys that have one meaning here; another value would be another training.
  private static let fixed: [(key: String, values: @Sendable (_ type: String) -> [String])] = [
    ("SOLVER.TYPE", { _ in ["SGD"] }),
    // The two views of CRLD come with its own trainer there.
    ("SOLVER.TRAINER", { $0 == "CRLD" ? ["base", "crld"] : ["base"] }),
    ("SOLVER.LR_COS", { _ in ["False", "false"] }),
    ("EXPERIMENT.LOGIT_STAND", { _ in ["False", "false"] }),
  ]

  /// Names, logs and loading: nothing that changes a result.
  private static func isWithoutMeaning(_ key: String) -> Bool {
    ["EXPERIMENT.PROJECT", "EXPERIMENT.NAME", "EXPERIMENT.TAG"].contains(key)
      || ["DATASET.NUM_WORKERS", "DATASET.TEST.BATCH_SIZE", "SOLVER.DOT.DELTA"].contains(key)
      || section(of: key) == "LOG"
  }

  private static func section(of key: String) -> String {
    String(key.split(separator: ".", omittingEmptySubsequences: false).first ?? "")
  }

  private static let methodSections: Set<String> = [
    "AT", "CRD", "CRLD", "DKD", "FITNET", "KD", "KDSVD", "NST", "OFD", "PKT", "REVIEWKD", "RKD",
    "SP", "VID",
  ]
  private static let sections: Set<String> = methodSections.union([
    "EXPERIMENT", "DATASET", "DISTILLER", "SOLVER", "LOG",
  ])
}
