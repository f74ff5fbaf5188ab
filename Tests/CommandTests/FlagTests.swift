import Datasets
import Foundation
import Networks
import TestSupport
import Testing

/// Flags with which a run begins: given weights, a teacher whose file says nothing, a part of the
/// images.
struct FlagTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func train(_ output: String, _ arguments: [String]) throws -> Program.Result {
    try Program.run(
      "student-train",
      [
        "--data", Program.digits, "--student", "resnet8", "--epochs", "1", "--milestones", "none",
        "--output", "\(scratch.path)/\(output)",
      ] + arguments)
  }

  private func weights(_ run: String) throws -> SafeTensors {
    try SafeTensors.read("\(scratch.path)/\(run)/last.safetensors")
  }

  /// The largest difference between two files' values of one parameter.
  private func difference(_ name: String, _ one: SafeTensors, _ other: SafeTensors) throws -> Float
  {
    let pair = try [one, other].map { try #require($0.tensors[name]).floats }
    return try #require(zip(pair[0], pair[1]).map { abs($0 - $1) }.max())
  }

  @Test func aStudentStartsFromTheGivenWeights() throws {
    let start = try scratch.teacher()
    // Steps too small for a weight to leave its place.
    let still = [
      "--method", "ce", "--dataset", "mnist", "--subset", try scratch.subset(), "--lr", "1e-12",
    ]
    let given = try train("given", still + ["--init", start])
    #expect(given.status == 0, "\(given.errors)")
    let drawn = try train("drawn", still)
    #expect(drawn.status == 0, "\(drawn.errors)")
    for name in ["conv1.weight", "layer2.0.conv1.weight", "fc.weight", "fc.bias"] {
      #expect(try difference(name, weights("given"), SafeTensors.read(start)) < 1e-6, "\(name)")
      #expect(try difference(name, weights("drawn"), SafeTensors.read(start)) > 0.1, "\(name)")
    }

    let wide = scratch.path + "/wide.safetensors"
    try Architecture.make("resnet8x4", classes: 10)
      .state(metadata: ["architecture": "resnet8x4", "format": "pt"]).write(to: wide)
    let other = try train("other", still + ["--init", wide])
    #expect(other.status == 65, "\(other.errors)")
    #expect(other.errors.contains("not the weights of resnet8 with 10"), "\(other.errors)")
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/other"))
  }

  /// Two files of one teacher: one without a word about it, one that says everything.
  private func teachers() throws -> (silent: String, complete: String) {
    var file = try untrainedTeacher(seed: 5).state()
    let paths = ["silent", "complete"].map { "\(scratch.path)/\($0).safetensors" }
    file.metadata = [:]
    try file.write(to: paths[0])
    file.metadata = ["architecture": "resnet8", "mean": "0.2,0.2,0.2", "std": "0.4,0.4,0.4"]
    try file.write(to: paths[1])
    return (paths[0], paths[1])
  }

  @Test func aDumpedTeachersArchitectureAndNormalisationCanBeNamed() throws {
    let (silent, complete) = try teachers()
    let subset = try scratch.subset()
    func dump(_ cache: String, _ teacher: [String]) throws -> Program.Result {
      try Program.run(
        "teacher-dump",
        [
          "--dataset", "mnist", "--data", Program.digits, "--subset", subset, "--views", "plain",
          "--cache", "\(scratch.path)/\(cache)", "--teacher",
        ] + teacher)
    }
    let unknown = try dump("unknown", [silent])
    #expect(unknown.status == 64 && unknown.errors.contains("--arch"), "\(unknown.errors)")
    let std = ["--std", "0.4,0.4,0.4"]
    let caches = [
      ("file", [complete]),
      ("flags", [silent, "--arch", "resnet8", "--mean", "0.2,0.2,0.2"] + std),
      ("other", [silent, "--arch", "resnet8", "--mean", "0.2,0.2,0.3"] + std),
    ]
    let hashes = try caches.map { name, arguments in
      let result = try dump(name, arguments)
      #expect(result.status == 0, "\(name): \(result.errors)")
      let info = try SmallCache.info("\(scratch.path)/\(name)")
      return try [info["cache_id"], info["content_hash"]].map { try #require($0 as? String) }
    }
    #expect(hashes[0] == hashes[1])
    #expect(hashes[0][0] != hashes[2][0])
    #expect(hashes[0][1] != hashes[2][1])
  }

  @Test func aLiveTeachersArchitectureAndNormalisationCanBeNamed() throws {
    let (silent, complete) = try teachers()
    let common = [
      "--method", "kd", "--dataset", "mnist", "--subset", try scratch.subset(), "--views", "weak:1",
    ]
    let unknown = try train("unknown", common + ["--teacher", silent])
    #expect(unknown.status == 64 && unknown.errors.contains("--teacher-arch"), "\(unknown.errors)")

    let told = common + ["--teacher", silent, "--teacher-arch", "resnet8"]
    let runs = [
      ("file", common + ["--teacher", complete]),
      ("flags", told + ["--teacher-mean", "0.2,0.2,0.2", "--teacher-std", "0.4,0.4,0.4"]),
      ("otherMean", told + ["--teacher-mean", "0.3,0.2,0.2", "--teacher-std", "0.4,0.4,0.4"]),
      ("otherStd", told + ["--teacher-mean", "0.2,0.2,0.2", "--teacher-std", "0.4,0.4,0.5"]),
    ]
    for (name, arguments) in runs {
      let result = try train(name, arguments)
      #expect(result.status == 0, "\(name): \(result.errors)")
    }
    let isSame = try weights("flags") == weights("file")
    #expect(isSame)
    for name in ["otherMean", "otherStd"] {
      let isOther = try weights(name) != weights("file")
      #expect(isOther, "\(name)")
    }
  }

  /// Of 400 digits of each class the first five classes keep all, the others a fiftieth.
  @Test func aStepOfClassesIsDumpedVerifiedAndTrained() throws {
    let cache = scratch.path + "/cache"
    let dumped = try Program.run(
      "teacher-dump",
      [
        "--dataset", "mnist", "--data", Program.digits, "--subset", "step:50", "--teacher",
        try scratch.teacher(), "--views", "plain", "--cache", cache,
      ])
    #expect(dumped.status == 0, "\(dumped.errors)")
    let info = try SmallCache.info(cache)
    #expect(info["images"] as? Int == 5 * 400 + 5 * 8)

    let verified = try Program.json(
      Program.run("teacher-dump", ["verify", cache, "--data", Program.digits, "--json"]).output)
    #expect(verified["records_checked"] as? Int == 2040)
    #expect(verified["views_replayed"] as? Int == 1000)  // unless --sample or --all says otherwise

    let plain = ["--cache", cache, "--method", "kd", "--augment", "none"]
    let trained = try train("part", plain + ["--subset", "step:50"])
    #expect(trained.status == 0, "\(trained.errors)")
    let wider = try train("wider", plain + ["--subset", "step:40"])
    #expect(wider.status == 66, "\(wider.errors)")
    #expect(wider.errors.contains("--subset step:40"), "\(wider.errors)")
  }
}
