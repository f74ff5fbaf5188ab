import Datasets
import Foundation
import TestSupport
import Testing

@Suite("Image sets")
struct ImageSetTests {
  private func set(
    height: Int = 2, width: Int = 1, classes: Int = 10, labels: [Int] = [3, 9],
    pixels: [UInt8] = Array(0..<12)
  ) -> ImageSet {
    ImageSet(height: height, width: width, classes: classes, labels: labels, pixels: pixels)
  }

  @Test("the content hash is the SHA-256 of the documented bytes")
  func contentHash() {
    // import hashlib, struct
    // hashlib.sha256(b"image-set-1\n" + struct.pack("<5I2H", 2, 2, 1, 3, 10, 3, 9) + bytes(range(12)))
    #expect(
      set().contentHash() == "e8796e22ff97ba6d82ff3ecc58f39c304a666282ea2d60786b86bd521cddee8a")
  }

  @Test("the content hash sees shape, classes, labels and pixels")
  func contentHashSeesEverything() {
    let sets = [
      set(), set(height: 1, width: 2), set(classes: 11), set(labels: [3, 8]),
      set(pixels: Array(1..<13)),
      set(height: 4, labels: [3]),
    ]
    #expect(Set(sets.map { $0.contentHash() }).count == sets.count)
  }

  @Test("the embedded digits: 4,000 and 1,000 images, balanced and mixed")
  func embeddedDigits() throws {
    let digits = try ImageDataset.load(.mnist, from: Files.digits)
    for (set, perClass) in [(digits.train, 400), (digits.test, 100)] {
      var counts = [Int](repeating: 0, count: 10)
      for label in set.labels { counts[label] += 1 }
      #expect(counts == [Int](repeating: perClass, count: 10))
      #expect(Set(set.labels.prefix(100)).count == 10)
    }
    #expect(
      digits.train.contentHash()
        == "0fe2619fbbf685583c0238bf15dff549fb14b320ef16fc5dd6c417cdf1d29194")
    #expect(
      digits.test.contentHash()
        == "da235a4cc9d7703a370a3f4d60e759625dbf3e4a45602f804395442613485e79")
  }

  @Test("pixels that do not fit the labels stop the program")
  func wrongPixelsStop() async {
    await #expect(processExitsWith: .failure) {
      _ = ImageSet(height: 2, width: 2, classes: 10, labels: [1], pixels: [0, 0])
    }
  }
}
