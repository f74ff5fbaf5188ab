/// The fourteen operations of the strong view, in the order in which they are drawn.
///
/// CRLD's `RandAugment(2, 10)` (methods.md §4.3): the magnitude is uniform in the range, every
/// drawn operation is applied, and the photometric ones only weaken.
package enum OperationKind: String, CaseIterable, Codable, Sendable {
  case autoContrast = "AutoContrast"
  case brightness = "Brightness"
  case color = "Color"
  case contrast = "Contrast"
  case equalize = "Equalize"
  case identity = "Identity"
  case posterize = "Posterize"
  case rotate = "Rotate"
  case sharpness = "Sharpness"
  case shearX = "ShearX"
  case shearY = "ShearY"
  case solarize = "Solarize"
  case translateX = "TranslateX"
  case translateY = "TranslateY"

  /// The magnitudes that are drawn; 0…0 for operations without one. Bits for Posterize, degrees
  /// for Rotate, a byte for Solarize, a part of the side for translations.
  package var magnitudes: ClosedRange<Double> {
    switch self {
    case .autoContrast, .equalize, .identity: 0...0
    case .brightness, .color, .contrast, .sharpness: 0.05...0.95
    case .posterize: 4...8
    case .rotate: -30...30
    case .shearX, .shearY, .translateX, .translateY: -0.3...0.3
    case .solarize: 0...256
    }
  }
}

/// One operation with its magnitude.
package struct ImageOperation: Equatable, Codable, Sendable {
  package let kind: OperationKind
  package let magnitude: Double

  package init(_ kind: OperationKind, magnitude: Double) {
    self.kind = kind
    self.magnitude = magnitude
  }
}

/// A square of one colour, drawn after the operations.
package struct Cutout: Equatable, Codable, Sendable {
  /// The side as a part of the image's width, 0..<0.5; nothing is drawn at 0.
  package let side: Double
  /// The centre in pixels.
  package let x: Double
  package let y: Double

  package init(side: Double, x: Double, y: Double) {
    self.side = side
    self.x = x
    self.y = y
  }
}

/// Applies one operation to an image of H×W×3 bytes; the results are Pillow's, bit for bit.
///
/// `scratch` is as long as the image and holds nothing that is kept.
func apply(
  _ operation: ImageOperation, to image: inout MutableSpan<UInt8>, height: Int, width: Int,
  scratch: inout MutableSpan<UInt8>
) {
  let magnitude = operation.magnitude
  switch operation.kind {
  case .identity: break
  case .autoContrast: stretchContrast(&image)
  case .brightness: brighten(&image, factor: Float(magnitude))
  case .color: changeColor(&image, factor: Float(magnitude))
  case .contrast: changeContrast(&image, factor: Float(magnitude))
  case .equalize: equalize(&image)
  case .posterize: posterize(&image, bits: max(1, Int(magnitude)))
  case .sharpness:
    changeSharpness(
      &image, factor: Float(magnitude), height: height, width: width, scratch: &scratch)
  case .solarize: solarize(&image, threshold: magnitude)
  case .rotate, .shearX, .shearY, .translateX, .translateY:
    guard let map = AffineMap(operation, height: height, width: width) else { break }
    move(&image, by: map, height: height, width: width, scratch: &scratch)
  }
}
