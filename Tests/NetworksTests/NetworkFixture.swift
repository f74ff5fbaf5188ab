import Foundation
import Networks
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

    /// How far `found` is from this, relative to `scale`: the largest difference of a sampled value
    /// (or their root mean square, if `isTypical`) or that of the norms, whichever is more.
    ///
    /// - Parameter limit: the most values that were sampled.
    func deviation(
      _ found: [Float], scale: Double, isTypical: Bool, limit: Int
    ) -> Double {
      let strides = max(1, (found.count + limit - 1) / limit)
      let samples = stride(from: 0, to: found.count, by: strides).map { Double(found[$0]) }
      precondition(samples.count == values.count, "\(found.count) values were sampled otherwise")
      let differences = zip(samples, values).map { abs($0 - $1) }
      let squares = found.reduce(0) { $0 + Double($1) * Double($1) }
      let norms = abs(squares.squareRoot() - norm) / Double(found.count).squareRoot()
      let mean = differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)
      let difference = isTypical ? mean.squareRoot() : differences.max() ?? 0
      return max(difference, norms) / scale
    }
  }

  let architecture: String
  let classes: Int
  let side: Int
  let batch: Int
  /// The name of the array of images.
  let images: String
  /// The most values that a result's sample holds.
  let samples: Int
  /// The steps of SGD behind the results "trained".
  let steps: Int
  let parameters: [Array]
  /// By kind of result, how far PyTorch in fp32 leaves PyTorch in fp64.
  let spread: [String: Double]
  let results: [String: Sample]

  static let names = [
    "resnet8", "resnet8-28", "resnet20", "resnet8x4", "resnet20_s", "resnet20_s_normed",
    "wrn_16_1", "wrn_16_2", "vgg8", "vgg8-28", "vgg8-64", "MobileNetV2", "MobileNetV2-28",
    "ShuffleV1", "ShuffleV1-28",
    "ShuffleV2", "ShuffleV2-28", "ResNet18", "ResNet50",
  ]

  static func load(_ name: String) throws -> NetworkFixture {
    let url = Locations.fixtures.appendingPathComponent("networks/\(name).json")
    return try JSONDecoder().decode(NetworkFixture.self, from: Data(contentsOf: url))
  }

  var labels: [Int] { (0..<batch).map { (7 * $0 + 3) % classes } }

  /// All parameters and running statistics.
  var weights: SafeTensors {
    var file = SafeTensors()
    for array in parameters {
      file.tensors[array.name] = StateTensor(start(array), shape: array.shape)
    }
    return file
  }

  /// The least scale that a deviation of the array is measured against: a change of parameters
  /// cannot be known better than the parameters' own rounding, 1e-3 of their root mean square.
  func floor(_ kind: String, _ name: String) -> Double {
    guard kind == "trained.changes", let array = parameters.first(where: { $0.name == name })
    else { return 0 }
    let values = start(array)
    let squares = values.reduce(0) { $0 + Double($1) * Double($1) }
    return 1e-3 * (squares / Double(values.count)).squareRoot()
  }

  private func start(_ array: Array) -> [Float] {
    Self.formula(
      array.name, count: array.shape.reduce(1, *), scale: array.scale, offset: array.offset)
  }

  /// batch×side×side×3.
  var imageTensor: Tensor {
    let planes = Self.formula(images, count: batch * 3 * side * side, scale: 3.5)
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
