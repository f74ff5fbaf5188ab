import Datasets
import Foundation
import TeacherCache
import TestSupport
import Testing

/// Damaged caches through the programs: nothing is silent and nothing dies by a signal.
@Suite(.serialized) struct DamagedCacheTests {
  private func verify(_ cache: String) throws -> Program.Result {
    try Program.run("teacher-dump", ["verify", cache])
  }

  @Test func noFlippedBitOfAnyFileIsSilent() throws {
    let (scratch, unit) = try SmallCache.make()
    let cache = scratch.path + "/cache"
    let before = try SmallCache.info(cache)["content_hash"] as? String
    var random = SplitMix64(state: 9)
    let count = faultCount(500, full: 5000)
    // Every fifth flip in the manifest, which is much the smaller file.
    for (file, flips) in [(unit, count * 4 / 5), (cache + "/manifest.json", count / 5)] {
      let sound = try Data(contentsOf: URL(fileURLWithPath: file))
      let checksum = sound.range(of: Data("\"checksum\"".utf8))
      for _ in 0..<flips {
        let bit = Int.random(in: 0..<sound.count * 8, using: &random)
        var damaged = sound
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        try damaged.write(to: URL(fileURLWithPath: file))
        let result = try verify(cache)
        if result.status == 0 {
          // Only the name of the checksum itself says nothing about the cache.
          #expect(checksum?.contains(bit / 8) == true, "bit \(bit) of \(file)")
          #expect(try SmallCache.info(cache)["content_hash"] as? String == before)
        } else {
          #expect([65, 66].contains(result.status), "bit \(bit) of \(file): \(result.errors)")
        }
      }
      try sound.write(to: URL(fileURLWithPath: file))
    }
    #expect(try verify(cache).status == 0)
  }

  /// The repair that the message of a damaged unit names.
  @Test func aDeletedUnitIsMadeAgainByTheSameDump() throws {
    let (scratch, unit) = try SmallCache.make()
    let cache = scratch.path + "/cache"
    let before = try SmallCache.info(cache)["content_hash"] as? String
    let folder = URL(fileURLWithPath: unit).deletingLastPathComponent()
    try FileManager.default.removeItem(at: folder)
    let lost = try Program.run("teacher-dump", ["verify", cache, "--json"])
    #expect(lost.status == 66)
    #expect(try Program.json(lost.output)["ok"] as? Bool == false)
    let dump = try Program.run("teacher-dump", SmallCache.dump(scratch, views: "weak:2"))
    #expect(dump.status == 0, "\(dump.errors)")
    #expect(try verify(cache).status == 0)
    #expect(try SmallCache.info(cache)["content_hash"] as? String == before)
  }

  /// Pages that a reader has mapped and that are gone end a process by a signal.
  @Test func aUnitThatIsCutOffWhileItIsReadIsNamedAndTheRunGoesOnLater() throws {
    let (scratch, unit) = try SmallCache.make()
    let sound = try Data(contentsOf: URL(fileURLWithPath: unit))
    let arguments = [
      "--cache", scratch.path + "/cache", "--data", Program.digits, "--method", "kd",
      "--student", "resnet8", "--epochs", "100", "--milestones", "none", "--eval-every", "100",
      "--batch-size", "10", "--threads", "1", "--output", "\(scratch.path)/run",
    ]
    let process = Program.process("student-train", arguments)
    let errors = Pipe()
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, errors)
    try process.run()
    let metrics = URL(fileURLWithPath: scratch.path + "/run/metrics.jsonl")
    let end = Date() + 60
    while (try? Data(contentsOf: metrics))?.isEmpty ?? true, Date() < end { usleep(5000) }
    #expect(truncate(unit, 8192) == 0)
    let text = String(decoding: Program.everything(from: errors), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 65)
    #expect(text.contains("teacher-dump verify"), "\(text)")
    let again = try Program.run("student-train", arguments)
    #expect(again.status == 65, "\(again.errors)")
    try sound.write(to: URL(fileURLWithPath: unit))
    let resumed = try Program.run("student-train", arguments)
    #expect(resumed.status == 0, "\(resumed.errors)")
  }

  @Test func theJSONOfAFailedCheckSaysSo() throws {
    let (scratch, unit) = try SmallCache.make()
    var damaged = try Data(contentsOf: URL(fileURLWithPath: unit))
    damaged[damaged.count / 2] ^= 1
    try damaged.write(to: URL(fileURLWithPath: unit))
    let result = try Program.run(
      "teacher-dump", ["verify", scratch.path + "/cache", "--json"])
    #expect(result.status == 65)
    let object = try Program.json(result.output)
    #expect(object["ok"] as? Bool == false)
    #expect((object["error"] as? String)?.contains("data.mdb") == true)
  }

  /// Everything fits its manifest but the file was not written by LMDB.
  @Test func noListedFileEndsAProgramByASignal() throws {
    let (scratch, unit) = try SmallCache.make()
    let (cache, manifestFile) = (scratch.path + "/cache", scratch.path + "/cache/manifest.json")
    let sound = try Data(contentsOf: URL(fileURLWithPath: unit))
    let manifest = try String(contentsOfFile: manifestFile, encoding: .utf8)
    let before = try SmallCache.info(cache)["content_hash"] as? String
    var random = SplitMix64(state: 9)
    let trees = (0..<sound.count / 4096).filter { [1, 2, 8].contains(sound[$0 * 4096 + 10]) }
    var refused = 0
    for number in 0..<faultCount(150, full: 3000) {
      var damaged = sound
      let page = trees.randomElement(using: &random) ?? 0
      for _ in 0..<(1 + number % 3) {
        // Headers, places of entries and entries lie at both ends of a page.
        let offset =
          Bool.random(using: &random)
          ? Int.random(in: 0..<160, using: &random) : Int.random(in: 3600..<4096, using: &random)
        let any = UInt8.random(in: 0...255, using: &random)
        damaged[page * 4096 + offset] =
          [0, 1, 2, 0x7F, 0xFF, any].randomElement(using: &random) ?? any
      }
      try damaged.write(to: URL(fileURLWithPath: unit))
      try SmallCache.manifest(manifest, listing: damaged)
        .write(toFile: manifestFile, atomically: false, encoding: .utf8)
      let result = try verify(cache)
      if result.status == 0 {
        #expect(try SmallCache.info(cache)["content_hash"] as? String == before)
      } else {
        refused += 1
        #expect(result.status == 65, "change \(number) of page \(page): \(result.errors)")
      }
      for arguments in [
        ["info", cache], ["read", cache, "--image", "100", "--view", "weak:1"],
      ] where number % 5 == 0 {
        let status = try Program.run("teacher-dump", arguments).status
        #expect([0, 65].contains(status), "\(arguments[0]) after change \(number): \(status)")
      }
    }
    #expect(refused > 0)
  }

  @Test func everyCutIsRefusedByEveryCommand() throws {
    let (scratch, unit) = try SmallCache.make()
    let cache = scratch.path + "/cache"
    let manifestFile = cache + "/manifest.json"
    let sound = try Data(contentsOf: URL(fileURLWithPath: unit))
    let manifest = try String(contentsOfFile: manifestFile, encoding: .utf8)
    for isListed in [false, true] {
      for pages in stride(from: 0, to: sound.count / 4096, by: isListed ? 1 : 8) {
        // Cut at a page border, and where the manifest says so too.
        let cut = sound.prefix(pages * 4096)
        try cut.write(to: URL(fileURLWithPath: unit))
        let listed = try SmallCache.manifest(manifest, listing: isListed ? cut : sound)
        try listed.write(toFile: manifestFile, atomically: false, encoding: .utf8)
        let result = try verify(cache)
        #expect(result.status == 65, "\(pages) pages: \(result.errors)")
      }
    }
  }

  /// A cache that is sound, of an image or a crop that the digits do not have, or of other images.
  @Test(arguments: [
    (5000, View.plain, "mnist", "4000 images"), (7, .crop(28), "mnist", "25 crops"),
    (7, .plain, "imagenet", "imagenet"),
  ])
  func aCacheOfWhatIsNotThereIsRefused(
    image: Int, view: View, dataset: String, says: String
  ) throws {
    let (scratch, _) = try SmallCache.make()
    let cache = scratch.path + "/other"
    var identity = try CacheReader.open(scratch.path + "/cache").identity
    identity.dataset = dataset
    let writer = try CacheWriter.open(cache, identity: identity, kernelLevel: "test")
    let plan = try writer.missing(images: [image], views: [view], taps: [], featureViews: [])
    let unit = try writer.begin(plan[0])
    let logits = [Float](repeating: 0, count: 10)
    try unit.append(
      image: image, label: 0, views: [ViewRecord(view: view, pixelHash: 1, logits: logits)])
    try unit.seal()
    writer.close()
    #expect(try verify(cache).status == 0)
    for (program, arguments) in [
      ("teacher-dump", ["verify", cache, "--data", Program.digits]),
      (
        "student-train",
        [
          "--cache", cache, "--data", Program.digits, "--method", "kd", "--student", "resnet8",
          "--augment", "none", "--epochs", "1", "--milestones", "none", "--output",
          scratch.path + "/run",
        ]
      ),
    ] {
      let result = try Program.run(program, arguments)
      #expect(result.status == 65 && result.errors.contains(says), "\(result.errors)")
    }
  }
}
