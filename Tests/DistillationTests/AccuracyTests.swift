import Distillation
import Testing

/// Accuracy of long-tailed recognition: what of a group of classes.
struct AccuracyTests {
  /// Three images of class 0, two right; one of class 1, wrong; none of class 2. By hand.
  @Test func aGroupIsTheMeanOfItsClassesNotOfItsImages() {
    let accuracy = Predictions(
      labels: [0, 0, 0, 1],
      logits: [
        2, 1, 0, 0, 0, 0,
        3, 3, 1, 0, 0, 0,  // the first of equal ones
        0, 1, 2, 3, 4, 5,  // the label is the sixth
        9, 5, 4, 3, 2, 1,
      ], classes: 6
    ).accuracy
    #expect(accuracy.top1 == 50)
    #expect(accuracy.top5 == 75)
    #expect(abs((accuracy.top1(ofClasses: [0, 1]) ?? -1) - 100.0 / 3) < 1e-12)
    #expect(abs((accuracy.top1(ofClasses: [0, 1, 2]) ?? -1) - 100.0 / 3) < 1e-12)
    #expect(accuracy.top1(ofClasses: [1, 2]) == 0)
    #expect(accuracy.top1(ofClasses: [2]) == nil)
  }
}
