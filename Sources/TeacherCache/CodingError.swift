internal import FileIO

/// How far coding moves what a student learns from: measured on every view when its logits are
/// coded, against the exact ones.
///
/// The gradient of T²·KL at the student's logits is T·(p_s − p_t), so coding moves it by
/// T·‖softmax(z/T) − softmax(z'/T)‖₁ whatever the student says. Not part of the content hash.
package struct CodingError: Codable, Equatable, Sendable {
  /// Views that were measured.
  package private(set) var views = 0
  /// The largest of those L1 distances at T = 1, 2, 4 and, last, at T = 2 under class weights.
  private var largest = SIMD4<Double>.zero
  private var sum = SIMD4<Double>.zero
  /// Views for which CRLD's confidence mask is another with the stored confidence.
  package private(set) var maskFlips = 0

  package init() {}

  /// A place at which the gradient is compared.
  package enum Setting: Int, CaseIterable, Sendable {
    case temperature1, temperature2, temperature4
    /// BKD: T = 2, the target weighted by class (`CodingMeter.balancedWeights`).
    case balanced

    package var name: String { ["t1", "t2", "t4", "bkd"][rawValue] }
  }

  /// The largest L1 error of the gradient.
  package func largest(_ setting: Setting) -> Double { largest[setting.rawValue] }

  /// The mean over the measured views; 0 without any.
  package func mean(_ setting: Setting) -> Double {
    views == 0 ? 0 : sum[setting.rawValue] / Double(views)
  }

  mutating func add(_ view: ViewError) {
    views += 1
    largest = pointwiseMax(largest, view.gradients)
    sum += view.gradients
    maskFlips += view.flipsMask ? 1 : 0
  }

  static func + (left: Self, right: Self) -> Self {
    var total = left
    total.views += right.views
    total.largest = pointwiseMax(left.largest, right.largest)
    total.sum += right.sum
    total.maskFlips += right.maskFlips
    return total
  }

  /// Whether such figures can come from that many views.
  func isPossible(records: Int) -> Bool {
    let figures = (0..<4).flatMap { [largest[$0], sum[$0]] }
    return (1...max(records, 1)).contains(views) && (0...views).contains(maskFlips)
      && figures.allSatisfy { $0.isFinite && $0 >= 0 }
  }

  /// Ten little-endian numbers of eight bytes: views, flips, largest × 4, sum × 4.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: UInt64(views))
    bytes.append(littleEndian: UInt64(maskFlips))
    for value in [largest, sum] {
      for index in 0..<4 { bytes.append(littleEndian: value[index].bitPattern) }
    }
    return bytes
  }

  init?(_ bytes: [UInt8]) {
    guard bytes.count == 80 else { return nil }
    let words = stride(from: 0, to: 80, by: 8).map {
      UInt64(littleEndianBytes: bytes[$0..<$0 + 8])
    }
    views = Int(truncatingIfNeeded: words[0])
    maskFlips = Int(truncatingIfNeeded: words[1])
    for index in 0..<4 {
      largest[index] = Double(bitPattern: words[2 + index])
      sum[index] = Double(bitPattern: words[6 + index])
    }
  }
}

/// What coding did to one view.
struct ViewError: Equatable {
  /// Largest |z − decoded z|.
  var logit = 0.0
  /// In the order of `CodingError.Setting`.
  var gradients = SIMD4<Double>.zero
  var flipsMask = false

  static let byteCount = 48

  /// Six doubles, little-endian: the logit's, the four gradients', 1 for a flipped mask.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    for value in [logit] + (0..<4).map({ gradients[$0] }) + [flipsMask ? 1 : 0] {
      bytes.append(littleEndian: value.bitPattern)
    }
    return bytes
  }
}

extension ViewError {
  init?(_ bytes: some BidirectionalCollection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    let values = (0..<6).map {
      Double(bitPattern: UInt64(littleEndianBytes: bytes.dropFirst($0 * 8).prefix(8)))
    }
    guard values.allSatisfy({ $0.isFinite && $0 >= 0 }) else { return nil }
    logit = values[0]
    gradients = SIMD4(values[1..<5])
    flipsMask = values[5] == 1
  }
}
