import Reporting
import Testing

/// Which classes are many, medium and few.
struct ShotGroupTests {
  @Test(arguments: [
    (500, ShotGroup.many), (101, .many), (100, .medium), (20, .medium), (19, .few), (0, .few),
  ])
  func manyIsAboveAHundredAndFewBelowTwenty(images: Int, group: ShotGroup) {
    #expect(ShotGroup(trainingImages: images) == group)
  }
}
