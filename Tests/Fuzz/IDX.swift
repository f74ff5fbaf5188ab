@testable import Datasets

private let count: UInt8 = 2
private let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, count, 3, 9]
private let images: [UInt8] =
  [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28]
  + [UInt8](repeating: 7, count: Int(count) * 784)

/// Labels and images in turn; a raw input may as well be gzip.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  guard size > 0 else { return 0 }
  let isLabels = data[0] % 2 == 0
  let changed = Input(data + 1, size - 1, sound: isLabels ? labels : images).bytes
  write(isLabels ? changed : labels, to: "train-labels-idx1-ubyte")
  write(isLabels ? images : changed, to: "train-images-idx3-ubyte")
  if let set = try? IDX(info: DatasetName.mnist.info).read("train", from: folder) {
    precondition(set.count == Int(count))
  }
  return 0
}
