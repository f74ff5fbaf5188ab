import Distillation
import Foundation
import TestSupport
import Testing

/// The reference values beside the project (../shared/golden), or nil where they are absent.
enum Golden {
  private static let file = Files.reference.appendingPathComponent("golden/golden_losses.json")

  static let isAvailable = Files.exists(file)

  static func load() throws -> GoldenValue {
    GoldenValue(try JSONSerialization.jsonObject(with: Data(contentsOf: file)))
  }
}

/// A value of the golden file, looked up by key.
struct GoldenValue {
  private let value: Any

  init(_ value: Any) { self.value = value }

  subscript(key: String) -> GoldenValue {
    get throws { GoldenValue(try #require((value as? [String: Any])?[key], "no \(key)")) }
  }

  var number: Double { get throws { try #require((value as? NSNumber)?.doubleValue) } }
  var integers: [Int] { get throws { try #require(value as? [NSNumber]).map(\.intValue) } }
  var numbers: [Double] { get throws { try #require(value as? [NSNumber]).map(\.doubleValue) } }
  var keys: [String] { get throws { try #require(value as? [String: Any]).keys.sorted() } }

  /// A nested list as one row-major list, whatever its depth.
  var flattened: [Double] { get throws { try Self.flatten(value) } }

  var matrix: Matrix {
    get throws {
      let rows = try #require(value as? [[NSNumber]])
      return Matrix(
        rows: rows.count, columns: rows[0].count, values: rows.flatMap { $0.map(\.doubleValue) })
    }
  }

  private static func flatten(_ value: Any) throws -> [Double] {
    if let number = value as? NSNumber { return [number.doubleValue] }
    return try #require(value as? [Any]).flatMap { try flatten($0) }
  }
}

/// Whether all values agree to 1e-10, the tolerance that the golden file suggests for float64.
func agree(_ a: [Double], _ b: [Double], tolerance: Double = 1e-10) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
}
