import Datasets
import FileIO
import Glibc

@testable import TeacherCache

private let identity = CacheIdentity(
  dataset: "cifar10", datasetHash: String(repeating: "a", count: 64), classes: 12, height: 32,
  width: 32, augmentations: ["weak": "cifar-crop-flip@1"], viewSeed: 7,
  teacherArchitecture: "resnet8", teacherWeights: String(repeating: "b", count: 64),
  teacherMean: [0.5, 0.5, 0.5], teacherStd: [0.25, 0.25, 0.25], logits: .q8,
  featurePrecision: .fp16)
private let shape = TapShape(tap: "a", height: 2, width: 2, channels: 3)
private let unit = WorkUnit(
  images: [3, 4],
  requests: [0, 1].map { ViewRequest(view: .weak($0), needsLogits: true, taps: ["a"]) },
  taps: [shape])
private let keys = unit.images.flatMap { image in
  unit.requests.map { ViewKey(image: image, view: $0.view) }
}
private let name = UnitJournal.prefix + UnitName.of(unit, identity)
private let files = ["logits", "features-a"]

private func open() -> UnitJournal? {
  try? UnitJournal(unit, in: folder, identity: identity, kernelLevels: KernelLevels(text: "avx2"))
}

private func complete(_ journal: UnitJournal) {
  for key in keys where journal.lacking(key) != nil {
    let values = (0..<12).map { Float(($0 * 37 + key.image) % 61 - 30) / 4 }
    let record = ViewRecord(view: key.view, pixelHash: 7, logits: values, features: ["a": values])
    guard (try? journal.add(record, image: key.image, label: 1)) != nil else {
      preconditionFailure("finite outputs can be added")
    }
  }
  precondition(journal.isComplete)
}

/// The files of a complete journal.
private let sound: [[UInt8]] = {
  _ = folder  // whose own exit handler has to come after this one
  atexit { try? FileSystem.remove(folder + "/" + name) }
  guard let journal = open() else { preconditionFailure("no journal could be made") }
  complete(journal)
  return files.map { contents(name + "/" + $0) }
}()

/// Foreign files of a journal: raw, or one entry under a checksum that is right. What they lack is added
/// and found again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  guard size > 1 else { return 0 }
  let number = Int(data[0]) % 2
  var bytes = sound[number]
  if data[0] >= 128 {
    bytes = Input(data + 1, size - 1, sound: bytes).bytes
  } else {
    let length = Int(UInt32(littleEndianBytes: bytes.prefix(4)))
    let entry = Input(data + 1, size - 1, sound: Array(bytes[4..<4 + length])).bytes
    bytes = []
    bytes.append(littleEndian: UInt32(entry.count))
    bytes += entry
    bytes.append(littleEndian: checksum(of: entry))
  }
  write(bytes, to: name + "/" + files[number])
  guard let journal = open() else { preconditionFailure("a journal could not be opened") }
  read(journal)
  complete(journal)
  guard let again = open() else { preconditionFailure("a journal could not be opened again") }
  precondition(again.isComplete)
  read(again)
  return 0
}

private func read(_ journal: UnitJournal) {
  var values = [Float](repeating: 0, count: 12)
  for key in keys {
    let record = RecordKey(image: key.image, view: key.view)
    if journal.holds(key, tap: nil) {
      _ = try? journal.logits(record)
      _ = values.withUnsafeMutableBufferPointer { row in
        row.baseAddress.flatMap { try? journal.read(key, into: $0) }
      }
    }
    if journal.holds(key, tap: "a") {
      _ = try? journal.features(record, tap: "a")
      _ = values.withUnsafeMutableBufferPointer {
        try? journal.readFeatures(key, tap: "a", into: $0)
      }
    }
  }
}
