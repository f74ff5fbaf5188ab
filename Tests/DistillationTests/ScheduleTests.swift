import Datasets
import Distillation
import Testing

struct ScheduleTests {
  @Test(.enabled(if: Golden.isAvailable, "needs ../shared/golden/golden_losses.json"))
  func multistepEqualsThatOfMdistiller() throws {
    let expected = try Golden.load()["lr_mdistiller_base0.05"]
    let schedule = LearningRateSchedule.multistep(
      base: 0.05, decay: 0.1, milestones: [150, 180, 210], warmupEpochs: 0)
    for key in try expected.keys {
      let epoch = try #require(Int(key))
      let rate = schedule.rate(epoch: epoch - 1, step: 0)
      #expect(agree([rate], [try expected[key].number], tolerance: 1e-15), "epoch \(epoch)")
    }
  }

  @Test(.enabled(if: Golden.isAvailable, "needs ../shared/golden/golden_losses.json"))
  func warmUpAndDropsEqualThoseOfBalancedDistillation() throws {
    let expected = try Golden.load()["lr_bkd_base0.1_epoch0based"]
    let schedule = LearningRateSchedule.multistep(
      base: 0.1, decay: 0.01, milestones: [160, 180], warmupEpochs: 5)
    for key in try expected.keys {
      let epoch = try #require(Int(key))
      let rate = schedule.rate(epoch: epoch, step: 0)
      #expect(agree([rate], [try expected[key].number], tolerance: 1e-15), "epoch \(epoch)")
    }
  }

  @Test func allPairsOfRoundsComeUp() {
    for (n, m) in [(4, 4), (4, 6), (3, 5), (1, 7), (6, 4)] {
      let rounds = RoundSchedule(views: ViewSet(weak: n, strong: m), plain: false)
      var seen: Set<[View]> = []
      for epoch in 0..<(n * m) {
        seen.insert([rounds.view(.weak, epoch: epoch), rounds.view(.strong, epoch: epoch)])
      }
      #expect(seen.count == n * m, "\(n) weak and \(m) strong rounds")
    }
  }

  @Test func roundsFollowTheFormula() {
    // e = 13, N = 4, M = 6: weak 13 mod 4 = 1; lcm = 12, strong (13 + 1) mod 6 = 2.
    let rounds = RoundSchedule(views: ViewSet(weak: 4, strong: 6), plain: false)
    #expect(rounds.view(.weak, epoch: 13) == .weak(1))
    #expect(rounds.view(.strong, epoch: 13) == .strong(2))
    let all = RoundSchedule(views: ViewSet(strong: 6, crops: true), plain: false)
    #expect(all.view(.weak, epoch: 13) == .weak(13))
    #expect(all.view(.strong, epoch: 13) == .strong(1))
    let plain = RoundSchedule(views: ViewSet(weak: 4), plain: true)
    #expect(plain.view(.strong, epoch: 13) == .plain)
  }

  @Test func everyEpochVisitsEveryImageOnceInAnOrderOfItsOwn() {
    let order = EpochOrder(images: Array(100..<400), seed: 7)
    let (first, second) = (order.images(inEpoch: 0), order.images(inEpoch: 1))
    #expect(first.sorted() == Array(100..<400))
    #expect(first != second)
    #expect(first == EpochOrder(images: Array(100..<400), seed: 7).images(inEpoch: 0))
    #expect(first != EpochOrder(images: Array(100..<400), seed: 8).images(inEpoch: 0))
  }
}
