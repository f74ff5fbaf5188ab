import Foundation
import Tensors

/// A file of Fixtures/networks, and the formula that gives its weights and images
/// (tools/reference/networks.py).
struct NetworkFixture: Decodable {
  struct Array: Decodable {
    let name: String
    let shape: [Int]
    let scale: Float
    let offset: Float
  }

  /// The L2 norm of an array and its values at a fixed stride.
  struct Sample: Decodable {
    let norm: Double
    let values: [Double]
  }

  let architecture: String
  let classes: Int
  let side: Int
  let batch: Int
  let parameters: [Array]
  /// By kind of result, how far PyTorch in fp32 leaves PyTorch in fp64.
  let spread: [String: Double]
  let results: [String: Sample]

  static let names = [
    "resnet8", "resnet8-28", "resnet20", "resnet8x4", "resnet20_s", "wrn_16_1", "wrn_16_2",
    "vgg8", "vgg8-28",
  ]

  static func load(_ name: String) throws -> NetworkFixture {
    let url = Locations.fixtures.appendingPathComponent("networks/\(name).json")
    return try JSONDecoder().decode(NetworkFixture.self, from: Data(contentsOf: url))
  }

  var labels: [Int] { (0..<batch).map { (7 * $0 + 3) % classes } }

  /// batch×side×side×3.
  var images: Tensor {
    let planes = Self.formula("images", count: batch * 3 * side * side, scale: 3.5)
    let pixels = side * side
    var values = [Float](repeating: 0, count: planes.count)
    for image in 0..<batch {
      for channel in 0..<3 {
        for pixel in 0..<pixels {
          values[(image * pixels + pixel) * 3 + channel] =
            planes[(image * 3 + channel) * pixels + pixel]
        }
      }
    }
    return Tensor(values, shape: [batch, side, side, 3])
  }

  /// offset + scale·(u − 0.5), u the top 24 bits of splitmix64 seeded with FNV-1a of the name.
  static func formula(_ name: String, count: Int, scale: Float, offset: Float = 0) -> [Float] {
    var state: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return (0..<count).map { _ in
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      z ^= z >> 31
      let product = scale * (Float(z >> 40) / 0x1p24 - 0.5)
      return offset + product
    }
  }
}
