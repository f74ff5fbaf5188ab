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
  ])
  func anotherFileIsNotTaken(text: String) {
    #expect(RunEvaluation(json: Data(text.utf8)) == nil)
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
