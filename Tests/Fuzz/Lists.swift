@testable import Datasets

private let sound = Array("# ids\n3\n 17 # one\r\n\n99\n".utf8)

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  let bytes = Input(data, size, sound: sound).bytes
  write(bytes, to: "file")
  if let listed = try? readImageList(folder + "/file", images: 100) {
    precondition(!listed.isEmpty && listed.allSatisfy { (0..<100).contains($0) })
  }
  _ = try? Subset(parsing: String(decoding: bytes, as: UTF8.self))
  return 0
}
