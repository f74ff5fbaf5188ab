import Foundation
import TestSupport

/// Where the files of these tests lie: fixtures beside them, published weights beside the project.
enum Locations {
  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures")
  static let weights = Files.reference.appendingPathComponent("weights")
}
