import Datasets

@testable import TeacherCache

private let codecs = LogitCodec.allCases
private let precisions = FeaturePrecision.allCases
private let shape = TapShape(tap: "a", height: 2, width: 2, channels: 3)
private let key = RecordKey(image: 3, view: .weak(5))

private func header(_ codec: LogitCodec) -> RecordHeader {
  RecordHeader(
    key: key, encoding: RecordEncoding(codec), count: 3, label: 1, width: 12, rawLength: 144)
}

private let soundLogits = codecs.map { codec in
  let views = (0..<3).map { view in
    let row = (0..<12).map { Float(($0 * 37 + view * 29) % 61 - 30) / 4 }
    guard let quantized = try? LogitQuantizer.quantize(row, codec: codec, what: "") else {
      preconditionFailure("finite logits can be stored")
    }
    return LogitView(pixelHash: 7, row: quantized)
  }
  return LogitRecord.encode(views, codec: codec)
}

private let soundFeatures = precisions.map { precision in
  let values = (0..<12).map { Float($0 % 5) / 2 }
  guard
    let parts = try? FeatureRecord.parts(
      values, shape: shape, precision: precision, pixelHash: 7, what: "")
  else { preconditionFailure("finite features can be stored") }
  return parts.stored(PlaneEncoder())
}

/// Records as they are, and stored bytes under a checksum that is right.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  guard size > 1 else { return 0 }
  let kind = Int(data[0]) % (codecs.count + precisions.count)
  let isLogits = kind < codecs.count
  let sound = isLogits ? soundLogits[kind] : soundFeatures[kind - codecs.count]
  let input = Input(data + 1, size - 1, sound: sound)
  var record: [UInt8] = []
  if data[0] >= 128 {
    record = input.bytes
  } else if isLogits {
    header(codecs[kind]).seal(input.bytes, into: &record)
  } else {
    let precision = precisions[kind - codecs.count]
    RecordHeader(
      key: key, encoding: RecordEncoding(precision), count: 1, label: 1, width: shape.channels,
      rawLength: 48
    ).seal(input.bytes, into: &record)
  }
  record.withUnsafeBytes { bytes in
    if isLogits {
      let block = LogitBlock()
      var row = [Float](repeating: 0, count: 12)
      guard
        (try? block.open(bytes, key: key, codec: codecs[kind], classes: 12)) != nil,
        let views = block.header?.count
      else { return }
      for view in 0..<views {
        try? block.logits(view, into: &row)
        _ = try? block.quantized(view)
      }
    } else {
      let precision = precisions[kind - codecs.count]
      var values = [Float](repeating: 0, count: shape.count)
      values.withUnsafeMutableBufferPointer { values in
        _ = try? FeatureDecoder().decode(
          bytes, key: key, shape: shape, precision: precision, into: values)
      }
    }
    if bytes.count >= 16 + RecordHeader.overhead { _ = try? SegmentIndex.records(bytes) }
  }
  return 0
}
