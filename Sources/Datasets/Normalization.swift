/// A network's input normalisation: (v/255 − mean)/std per channel, in fp32.
///
/// Every byte has one result per channel, so it is a table, filled with the very operations of
/// torchvision's `ToTensor` and `Normalize`: bit-equal to them.
package struct Normalization: Sendable, Equatable {
  /// Per channel, on the scale of v/255.
  package let mean: [Float]
  package let std: [Float]
  /// 3×256: the result for byte v in channel c stands at c·256 + v.
  private let table: [Float]

  /// The normalisation of these constants.
  ///
  /// Throws `.usage` unless there are three finite means and three positive finite deviations.
  package init(mean: [Float], std: [Float]) throws(DatasetError) {
    guard mean.count == 3, mean.allSatisfy(\.isFinite) else {
      throw DatasetError(.usage, "a mean is three finite numbers r,g,b for v/255; found \(mean)")
    }
    guard std.count == 3, std.allSatisfy({ $0.isFinite && $0.isNormal && $0 > 0 }) else {
      throw DatasetError(
        .usage, "a deviation is three positive numbers r,g,b for v/255; found \(std)")
    }
    self.init(knownMean: mean, knownStd: std)
  }

  /// The normalisation of constants that are known to be sound.
  init(knownMean mean: [Float], knownStd std: [Float]) {
    precondition(mean.count == 3 && std.count == 3, "a normalisation has three channels")
    self.mean = mean
    self.std = std
    var table: [Float] = []
    table.reserveCapacity(768)
    for channel in 0..<3 {
      for value in 0..<256 { table.append((Float(value) / 255 - mean[channel]) / std[channel]) }
    }
    self.table = table
  }

  /// Writes the normalised values of interleaved pixels.
  ///
  /// - Parameters:
  ///   - bytes: any number of whole pixels, …×3.
  ///   - output: as many values as there are bytes, in the same order.
  package func apply(
    _ bytes: UnsafeBufferPointer<UInt8>, into output: UnsafeMutablePointer<Float>
  ) {
    precondition(bytes.count % 3 == 0, "\(bytes.count) bytes are no whole pixels of 3 channels")
    table.withUnsafeBufferPointer { table in
      // Sound: a byte is below 256, so every index is below 768; output is the caller's promise.
      for i in stride(from: 0, to: bytes.count, by: 3) {
        output[i] = table[Int(bytes[i])]
        output[i + 1] = table[256 + Int(bytes[i + 1])]
        output[i + 2] = table[512 + Int(bytes[i + 2])]
      }
    }
  }
}
