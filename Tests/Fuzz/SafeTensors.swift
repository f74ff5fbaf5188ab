@testable import Networks

private let sound: [UInt8] = {
  let header =
    "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],"
    + "\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[8,12]}}"
  return [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8)
    + [UInt8](repeating: 1, count: 12)
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  guard
    let file = try? SafeTensors(
      parsing: Input(data, size, sound: sound).bytes, path: "fuzz")
  else { return 0 }
  for tensor in file.tensors.values { _ = tensor.floats }
  guard let again = try? SafeTensors(parsing: file.serialized(), path: "again") else {
    preconditionFailure("what was read cannot be written and read again")
  }
  precondition(again == file || file.tensors.isEmpty)
  return 0
}
