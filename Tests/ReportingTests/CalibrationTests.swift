import Foundation
import Reporting
import Testing

struct CalibrationTests {
  /// By hand: 0.95 and 0.97 fall into the last of 15 bins (one right of two, mean 0.96), 0.5 into the
  /// eighth (right): ECE = (2·|0.5 − 0.96| + 1·|1 − 0.5|) / 3.
  @Test func theErrorIsThatOfThePaper() throws {
    let calibration = Calibration(confidences: [0.95, 0.5, 0.97], correct: [true, true, false])
    #expect(calibration.counts[14] == 2 && calibration.counts[7] == 1)
    #expect(calibration.total == 3)
    let error = try #require(calibration.expectedError)
    #expect(abs(error - (2 * 0.46 + 0.5) / 3) < 1e-12)
    #expect(abs((calibration.meanConfidence ?? 0) - 2.42 / 3) < 1e-12)
  }

  @Test func certaintyFallsIntoTheLastBinAndNothingIntoNone() {
    let calibration = Calibration(confidences: [1, 1], correct: [true, true])
    #expect(calibration.counts.last == 2)
    #expect(calibration.expectedError == 0)
    #expect(Calibration(confidences: [], correct: []).expectedError == nil)
    #expect(Calibration(confidences: [.nan], correct: [false]).expectedError == 0)
  }

  @Test func anEvaluationIsReadAsItWasWritten() throws {
    let calibration = Calibration(confidences: [0.7], correct: [true])
    var evaluation = RunEvaluation()
    evaluation.test = RunEvaluation.Test(
      classNames: ["a", "b"], trainingImages: [3, 1], images: [1, 0], correct: [1, 0],
      confusions: [RunEvaluation.Confusion(label: 0, predicted: 1, count: 2)],
      calibration: calibration)
    evaluation.cost = TeacherCost(
      isLive: false, teacherSeconds: 0.25, studentSeconds: 0.125, views: 8, storedViews: 20,
      trainingSeconds: 4)
    evaluation.cache = CacheFacts(
      id: "0123456789abcdef", teacher: "resnet56", teacherWeights: "ff", codec: "q8",
      views: ["weak": 2], records: 20, bytes: 999, bytesPerView: 8.5, errorBound: 0.06,
      errorMeasured: nil)
    let found = try #require(RunEvaluation(json: Data(evaluation.json())))
    #expect(try found.json() == evaluation.json())
    #expect(String(decoding: try evaluation.json(), as: UTF8.self).contains("\"class_names\""))
  }

  @Test(arguments: [
    "", "{}", #"{"version":2,"seen":[]}"#,
    // A confusion of a class that there is not.
    #"{"version":1,"seen":[],"test":{"training_images":[1],"images":[1],"correct":[1],"#
      + #""confusions":[{"label":0,"predicted":7,"count":1}],"#
      + #""calibration":{"counts":[1],"correct":[1],"confidence":[1]}}}"#,
    // More right answers than answers.
    #"{"version":1,"seen":[],"test":{"training_images":[1],"images":[1],"correct":[1],"#
      + #""confusions":[],"calibration":{"counts":[1],"correct":[2],"confidence":[1]}}}"#,
    // Counts below zero, more right answers than images, and sums that are no numbers.
    damaged(trainingImages: "[-9223372036854775808,1]"), damaged(images: "[-1,1]"),
    damaged(images: "[1,1]", correct: "[1,2]"), damaged(counts: "[-1,1]", correctBins: "[0,1]"),
    damaged(counts: "[4611686018427387904,4611686018427387904]"),
    damaged(confusion: "-9223372036854775808"),
    damaged(extra: cost(views: "-1", stored: "1")),
    damaged(extra: cost(views: "2", stored: "9223372036854775807")),
  ])
  func anotherFileIsNotTaken(text: String) {
    #expect(RunEvaluation(json: Data(text.utf8)) == nil)
  }

  /// The file of a run on two classes, with lists as given.
  private static func damaged(
    trainingImages: String = "[1,1]", images: String = "[1,1]", correct: String = "[0,1]",
    confusion: String = "1", counts: String = "[1,1]", correctBins: String = "[1,0]",
    extra: String = ""
  ) -> String {
    #"{"version":1,"seen":[],\#(extra)"test":{"training_images":\#(trainingImages),"#
      + #""images":\#(images),"correct":\#(correct),"#
      + #""confusions":[{"label":0,"predicted":1,"count":\#(confusion)}],"calibration":"#
      + #"{"counts":\#(counts),"correct":\#(correctBins),"confidence":[0.4,0.6]}}}"#
  }

  private static func cost(views: String, stored: String) -> String {
    #""cost":{"is_live":false,"teacher_seconds":1,"student_seconds":1,"views":\#(views),"#
      + #""stored_views":\#(stored),"training_seconds":1},"#
  }

  /// So that nothing but the damage decides in ``anotherFileIsNotTaken(text:)``.
  @Test func theUndamagedFileIsTaken() {
    let text = Self.damaged(extra: Self.cost(views: "8", stored: "20"))
    #expect(RunEvaluation(json: Data(text.utf8)) != nil)
  }

  /// By hand, from the paper's arithmetic: 8 views of 0.25 s are 2 s of teacher's work.
  @Test func costsFollowFromOneForwardPass() {
    var cost = TeacherCost(
      isLive: false, teacherSeconds: 0.25, studentSeconds: 0.125, views: 8, storedViews: 20,
      trainingSeconds: 4)
    #expect(cost.cachedSeconds == 4 && cost.liveSeconds == 6 && cost.dumpSeconds == 5)
    #expect(cost.breakEvenStudents == 3)  // three students' 24 views are more than the cache's 20
    cost.isLive = true
    #expect(cost.cachedSeconds == 2 && cost.liveSeconds == 4)
    cost.storedViews = nil
    #expect(cost.breakEvenStudents == nil)
  }
}
