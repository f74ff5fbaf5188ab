package import Foundation

/// The members of a JSON object, nil for those that are no numbers; nil for what is no object.
///
/// Every digit counts, which Foundation's JSONSerialization rounds away.
package func jsonNumbers(_ data: Data) -> [String: Double?]? {
  struct Member: Decodable {
    let number: Double?
    init(from decoder: any Decoder) throws {
      number = try? decoder.singleValueContainer().decode(Double.self)
    }
  }
  return try? JSONDecoder().decode([String: Member].self, from: data).mapValues(\.number)
}
