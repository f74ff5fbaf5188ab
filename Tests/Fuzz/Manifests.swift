import Datasets

@testable import TeacherCache

private let sound: [UInt8] = {
  let identity = CacheIdentity(
    dataset: "cifar10", datasetHash: String(repeating: "a", count: 64), classes: 10, height: 32,
    width: 32, augmentations: ["weak": "cifar-crop-flip@1"], viewSeed: 7,
    teacherArchitecture: "resnet8", teacherWeights: String(repeating: "b", count: 64),
    teacherMean: [0.5, 0.5, 0.5], teacherStd: [0.25, 0.25, 0.25], logits: .q8,
    featurePrecision: .fp16)
  let hash = String(repeating: "c", count: 64)
  let views =
    "\"logits\":{\"weak\":\"0-3\"},\"features\":[{\"shape\":{\"tap\":\"stage1\","
    + "\"height\":4,\"width\":4,\"channels\":3},\"views\":{\"weak\":\"0\"}}]"
  let unit =
    "{\"path\":\"units/00000000-ab\",\"images\":\"0-9\",\(views),\"records\":40,"
    + "\"featureRecords\":10,\"bytes\":8192,\"sha256\":\"\(hash)\",\"content\":\"\(hash)\","
    + "\"kernelLevel\":\"avx2\",\"logitError\":0.05}"
  return Array(
    ("{\"format\":\"teacher-cache\",\"version\":1,\"lmdbFormat\":\"0.9\",\"identity\":"
      + "\(identity.canonicalJSON),\"fingerprint\":\"\(identity.fingerprint)\",\"units\":[\(unit)]}")
      .utf8)
}()

private let isSound: Bool = {
  write(sound, to: "manifest.json")
  do { _ = try CacheManifest.read(from: folder) } catch {
    preconditionFailure("the manifest to start from is refused: \(error)")
  }
  return true
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  precondition(isSound)
  write(Input(data, size, sound: sound).bytes, to: "manifest.json")
  guard let manifest = try? CacheManifest.read(from: folder) else { return 0 }
  _ = CacheContents(manifest, adding: [], in: "").holds(ViewKey(image: 3, view: .weak(2)))
  _ = UnitsByImage(manifest.units).images
  return 0
}
