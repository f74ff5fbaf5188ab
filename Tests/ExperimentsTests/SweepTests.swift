import Experiments
import Testing

/// The runs that a sweep consists of, and its table.
struct SweepTests {
  private func runs(
    settingOf: (String, String) -> String? = { _, _ in nil },
    _ change: (inout SweepPlan) -> Void
  ) throws -> [SweepRun] {
    var plan = SweepPlan()
    change(&plan)
    return try plan.runs(settingOf: settingOf)
  }

  @Test func everyCombinationIsARunNamedByWhatDiffers() throws {
    let runs = try runs {
      $0.methods = ["kd", "crld"]
      $0.seeds = ["0", "1"]
      $0.varied = ["crld.tau_w=0.8,0.9"]
      $0.flags = [("student", "resnet20"), ("epochs", "3")]
    }
    let names = [
      "kd-seed=0", "kd-seed=1", "crld-tau_w=0.8-seed=0", "crld-tau_w=0.8-seed=1",
      "crld-tau_w=0.9-seed=0", "crld-tau_w=0.9-seed=1",
    ]
    #expect(runs.map(\.name) == names)
    #expect(runs[2].label == "crld, tau_w=0.8")
    #expect(
      runs[2].sets == [
        "student=resnet20", "epochs=3", "method=crld", "crld.tau_w=0.8", "seed=0",
      ])
  }

  @Test func aSettingOfOneMethodGoesToItsRunsAlone() throws {
    let runs = try runs {
      $0.methods = ["kd", "dkd"]
      $0.sets = ["dkd.beta=2", "lr=0.1"]
    }
    #expect(
      runs.map(\.sets) == [["lr=0.1", "method=kd"], ["dkd.beta=2", "lr=0.1", "method=dkd"]])
  }

  /// Given to all runs, in a recipe or varied: CRLD over DKD has DKD's settings.
  @Test(arguments: [(["crld.base=dkd"], [], ""), ([], ["crld.base=dkd"], ""), ([], [], "dkd")])
  func theSettingsOfDKDGoToCRLDOverDKD(sets: [String], varied: [String], recipe: String) throws {
    let runs = try runs(settingOf: { $1 == "crld.base" ? recipe : nil }) {
      $0.methods = ["dkd", "crld", "kd"]
      $0.recipes = ["some"]
      $0.sets = sets + ["dkd.beta=2"]
      $0.varied = varied
    }
    #expect(runs.map { $0.sets.contains("dkd.beta=2") } == [true, true, false])
    let without = try self.runs {
      $0.methods = ["dkd", "crld"]
      $0.sets = ["dkd.beta=2"]
    }
    #expect(without.map { $0.sets.contains("dkd.beta=2") } == [true, false])
  }

  /// Only the combinations in which the setting is on have what it brings.
  @Test func borrowedSettingsAreVariedWhereTheyCount() throws {
    let runs = try runs {
      $0.methods = ["crld"]
      $0.varied = ["dkd.beta=2,4", "crld.base=kd,dkd"]
      $0.sets = ["dkd.alpha=2"]
    }
    #expect(
      runs.map(\.name) == [
        "crld-base=kd", "crld-base=dkd-dkd.beta=2", "crld-base=dkd-dkd.beta=4",
      ])
    #expect(runs.map { $0.sets.contains("dkd.alpha=2") } == [false, true, true])
  }

  @Test func theMethodOfASetIsThatOfTheRuns() throws {
    let runs = try runs(settingOf: { $1 == "method" ? "kd" : nil }) {
      $0.recipes = ["some"]
      $0.sets = ["method=dkd", "dkd.beta=3"]
    }
    #expect(runs.map(\.sets) == [["method=dkd", "dkd.beta=3"]])
  }

  @Test func recipesAndStudentsCanBeListed() throws {
    let runs = try runs(settingOf: { recipe, key in
      key == "method" ? (recipe.hasSuffix("kd") ? "kd" : "crld") : nil
    }) {
      $0.recipes = ["a-kd", "files/b.yaml"]
      $0.students = ["resnet8", "resnet20"]
      $0.varied = ["kd.kd_weight=0.5,0.9", "milestones=1,2;3"]
    }
    #expect(runs.count == 2 * 2 * 2 + 2 * 2)
    #expect(runs[0].name == "a-kd-resnet8-kd_weight=0.5-milestones=1,2")
    #expect(runs.last?.name == "b-resnet20-milestones=3")
    #expect(runs.last?.recipe == "files/b.yaml")
  }

  @Test(arguments: [
    ("lr", "VALUE"), ("lr=", "parted"), ("lr=1,,2", "parted"), ("lr=1,1", "twice"),
    ("lr=0.1,0.2,1e-1", "1e-1 twice"),

    ("seed=1,2", "--seeds"), ("method=kd,dkd", "--method"), ("dkd.beta=1,2", "dkd.beta concerns"),
    ("epochs=1,2", "epochs is set"),
  ])
  func listsThatMakeNoSenseAreRefused(varied: String, says: String) {
    #expect {
      try runs {
        $0.methods = ["kd"]
        $0.varied = [varied]
        $0.flags = [("epochs", "3")]
      }
    } throws: { error in
      (error as? SettingError)?.kind == .usage && "\(error)".contains(says)
    }
  }

  @Test func oneValueWrittenInTwoWaysIsOne() throws {
    for (flag, text) in [
      ("--seeds", "1,01"), ("--method", "kd, KD"), ("--student", "ResNet8,resnet8"),
    ] {
      #expect {
        try SweepPlan.list(flag, text)
      } throws: {
        ($0 as? SettingError)?.kind == .usage && "\($0)".contains("twice")
      }
    }
    #expect(try SweepPlan.list("--method", "kd, dkd") == ["kd", "dkd"])
    #expect(try SweepPlan.list("--recipe", "a/B.yaml,a/b.yaml") == ["a/B.yaml", "a/b.yaml"])
  }

  @Test func meanAndSampleDeviationAreThoseOfNumPy() throws {
    // numpy.mean, numpy.std(ddof=1) of 70.66, 71.16, 69.21
    let spread = try #require(Spread([70.66, 71.16, 69.21]))
    #expect(abs(spread.mean - 70.34333333333333) < 1e-12)
    #expect(abs((spread.deviation ?? 0) - 1.0128343069492347) < 1e-12)
    #expect(Spread([3])?.deviation == nil)
    #expect(Spread([]) == nil)
  }

  private func outcomes() throws -> [SweepOutcome] {
    let runs = try runs {
      $0.methods = ["kd", "crld"]
      $0.seeds = ["0", "1"]
      $0.varied = ["crld.tau_w=0.8"]
    }
    let values = [(70.0, 0), (71.0, 0), (72.5, 0), (0, 65)] as [(Double, Int32)]
    return zip(runs, values).map { run, value in
      SweepOutcome(
        run, status: value.1,
        summary: value.1 == 0 ? ["test_top1_last": value.0, "seconds": 10] : [:])
    }
  }

  @Test func theTableHasARowForEachCombination() throws {
    let table = try SweepTable(outcomes())
    let markdown = """
      | run | runs | last top-1 | seconds |
      |---|---:|---:|---:|
      | kd | 2 | 70.50 ± 0.71 | 10 ± 0 |
      | crld, tau_w=0.8 | 1 of 2 | 72.50 | 10 |

      Not in the table: crld-tau_w=0.8-seed=1 ended with code 65

      """
    #expect(table.markdown == markdown)
    let csv = """
      run,runs,failed,test_top1_last_mean,test_top1_last_sd,seconds_mean,seconds_sd
      "kd",2,0,70.5,0.7071067811865476,10.0,0.0
      "crld, tau_w=0.8",2,1,72.5,,10.0,

      """
    #expect(table.csv == csv)
    let latex = #"""
      % needs \usepackage{booktabs}
      % not in the table: crld-tau_w=0.8-seed=1 ended with code 65
      \begin{tabular}{lrrr}
      \toprule
      run & runs & last top-1 & seconds \\
      \midrule
      kd & 2 & $70.50 \pm 0.71$ & $10 \pm 0$ \\
      crld, tau\_w=0.8 & 1 of 2 & $72.50$ & $10$ \\
      \bottomrule
      \end{tabular}

      """#
    #expect(table.latex == latex)
  }
}
