@testable import Datasets

private let records = 3
private let sound = [UInt8](repeating: 5, count: records * 3074)

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  write(Input(data, size, sound: sound).bytes, to: "test.bin")
  if let set = try? CIFAR.hundred(testRecords: records).test(from: folder) {
    precondition(set.count == records && set.pixels.count == records * 3072)
  }
  return 0
}
