import Datasets
import Testing

@Suite("Normalisation")
struct NormalizationTests {
  /// A row of Fixtures/normalization.json: PyTorch's results as bits, channel by channel.
  struct Reference: Decodable {
    let dataset: DatasetName
    let mean: [Float]
    let std: [Float]
    let bits: String
  }

  @Test("every byte in every channel is bit-equal to ToTensor and Normalize in PyTorch")
  func equalsPyTorch() throws {
    let rows = try Fixtures.decode([Reference].self, "normalization")
    #expect(rows.map(\.dataset) == [.cifar10, .cifar100, .mnist, .fashionMNIST])
    for row in rows {
      #expect(row.dataset.info.mean == row.mean && row.dataset.info.std == row.std)
      let normalization = try Normalization(mean: row.mean, std: row.std)
      #expect(normalization == row.dataset.info.normalization)
      let bytes = (0..<256).flatMap { [UInt8($0), UInt8($0), UInt8($0)] }
      var values = [Float](repeating: 0, count: bytes.count)
      values.withUnsafeMutableBufferPointer { output in
        guard let start = output.baseAddress else { return }
        bytes.withUnsafeBufferPointer { normalization.apply($0, into: start) }
      }
      let digits = Array(row.bits.utf8)
      for channel in 0..<3 {
        for value in 0..<256 {
          let i = (channel * 256 + value) * 8
          let bits = UInt32(String(decoding: digits[i..<i + 8], as: UTF8.self), radix: 16)
          #expect(values[value * 3 + channel].bitPattern == bits, "channel \(channel), \(value)")
        }
      }
    }
  }

  @Test(
    "constants that make no sense are refused",
    arguments: [
      ([0.5, 0.5], [1, 1, 1]), ([0.5, 0.5, 0.5], [1, 1]), ([], []), ([0, 0, 0], [1, 0, 1]),
      ([0, 0, 0], [1, -1, 1]), ([.nan, 0, 0], [1, 1, 1]), ([0, .infinity, 0], [1, 1, 1]),
      ([0, 0, 0], [1, 1, .infinity]), ([0, 0, 0], [1, 1, .nan]),
      ([0, 0, 0], [1, 1, .leastNonzeroMagnitude]),
    ] as [([Float], [Float])])
  func badConstants(_ mean: [Float], _ std: [Float]) {
    expectError(.usage, naming: ["three"]) { try Normalization(mean: mean, std: std) }
  }
}
