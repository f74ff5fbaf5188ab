import Datasets
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

/// What coding does to the gradients, measured when it happens.
@Suite struct CodingErrorTests {
  private let teacher = FakeTeacher()

  /// Expected with Python, for z = (1, 0), which q8 decodes to (0.96, 0) and coarse leaves alone:
  /// `s = lambda x: 1 / (1 + exp(-x)); [T * 2 * abs(s(1 / T) - s(.96 / T)) for T in (1, 2, 4)]`;
  /// the last with `s(x / 2 + log(w0 / w1))`, w = 1 / (1 - .9999**500), 1 / (1 - .9999**5).
  @Test func twoClassesAgreeWithTheFormula() throws {
    var meter = CodingMeter(codec: .q8, classes: 2)
    let row = try LogitQuantizer.quantize([1, 0], codec: .q8, what: "")
    let error = meter.measure([1, 0], row, .weak)
    let expected = [0.0158735, 0.0188458, 0.0197028, 0.0012948]
    for (index, value) in expected.enumerated() {
      #expect(abs(error.gradients[index] - value) < 2e-7, "\(index): \(error.gradients[index])")
    }
    #expect(abs(error.logit - 0.04) < 1e-6)
    var coarse = CodingMeter(codec: .coarse, classes: 2)
    let exact = try LogitQuantizer.quantize([1, 0], codec: .coarse, what: "")
    #expect(coarse.measure([1, 0], exact, .weak) == ViewError())
  }

  @Test(arguments: [LogitCodec.q8, .coarse])
  func everyGradientStaysWithinTheBound(codec: LogitCodec) throws {
    var stream = SplitMix64(state: 3)
    var total = CodingError()
    var meter = CodingMeter(codec: codec, classes: 100)
    let bound = try #require(codec.step) / 2
    for _ in 0..<500 {
      let row = (0..<100).map { _ in stream.normal() * 6 }
      let coded = try LogitQuantizer.quantize(row, codec: codec, what: "")
      total.add(meter.measure(row, coded, .weak))
    }
    #expect(total.views == 500)
    for setting in CodingError.Setting.allCases {
      #expect(total.largest(setting) <= bound)
      #expect(total.largest(setting) > total.mean(setting))
      #expect(total.mean(setting) > bound / 1000)
    }
  }

  /// 1 − confidence is 0.100004, which rounds to the half 0.0999756: the mask at 0.9 flips. The
  /// thresholds are those of CRLD: 0.9 in weak views, 0.2 in strong ones.
  @Test func aMaskThatRoundingFlipsIsCounted() throws {
    let z = Float(log(0.899996 / 0.100004))
    let row = try LogitQuantizer.quantize([z, 0], codec: .q8, what: "")
    var meter = CodingMeter(codec: .q8, classes: 2)
    #expect(meter.measure([z, 0], row, .weak).flipsMask)
    #expect(!meter.measure([z, 0], row, .strong).flipsMask)
  }

  @Test func theFiguresSurviveAnInterruption() throws {
    let whole = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8)
    let images = Array(0..<50)
    try teacher.dump(whole.path, identity, images: images, views: weak(0..<3))
    let expected = try CacheReader.open(whole.path).info.codingError
    #expect(expected.views == 150)
    #expect(expected.largest(.temperature1) > 0)
    let cut = try TemporaryDirectory()
    do {
      let writer = try CacheWriter.open(cut.path, identity: identity, kernelLevel: "")
      let plan = try writer.missing(images: images, views: weak(0..<3), taps: [], featureViews: [])
      let unit = try writer.begin(try #require(plan.first))
      try teacher.fill(unit, limit: 20)
      try unit.commit()
      try teacher.fill(unit, limit: 5)  // lost
    }
    try teacher.dump(cut.path, identity, images: images, views: weak(0..<3))
    #expect(try CacheReader.open(cut.path).info.codingError == expected)
  }

  @Test func aCutUnitClaimsNoMeasurement() throws {
    let (one, two, target) = (
      try TemporaryDirectory(), try TemporaryDirectory(), try TemporaryDirectory()
    )
    let identity = CacheIdentity.sample(.q8)
    try teacher.dump(one.path, identity, images: Array(0..<20), views: weak(0..<1))
    try teacher.dump(two.path, identity, images: Array(10..<40), views: weak(0..<1))
    _ = try CacheTransfer.merge(into: target.path, from: [one.path, two.path])
    let info = try CacheReader.open(target.path).info
    #expect(info.records == 40)
    #expect(info.codingError.views == 20)
    #expect(info.largestLogitError > 0)
  }

  @Test func cachesWithoutFiguresAreReadAndImpossibleFiguresRefused() throws {
    let directory = try TemporaryDirectory()
    try teacher.dump(directory.path, .sample(.q8), images: [1, 2], views: weak(0..<2))
    let file = URL(fileURLWithPath: directory.path + "/manifest.json")
    let manifest = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    func write(_ figures: Any?) throws {
      var changed = manifest
      var units = try #require(manifest["units"] as? [[String: Any]])
      units[0]["codingError"] = figures
      changed["units"] = units
      changed["checksum"] = nil  // it would find every change by itself
      try JSONSerialization.data(withJSONObject: changed).write(to: file)
    }
    try write(nil)
    #expect(try CacheReader.open(directory.path).info.codingError.views == 0)
    for (views, flips, largest) in [(5, 0, 0.0), (0, 0, 0), (4, 5, 0), (4, 0, -1)] {
      try write([
        "views": views, "maskFlips": flips, "largest": [largest, 0, 0, 0], "sum": [0, 0, 0, 0],
      ])
      let error = #expect(throws: CacheError.self) { try CacheReader.open(directory.path) }
      #expect(error?.description.contains("coding error") == true)
    }
  }

  /// Rows of a wide range have a coarser rounding, so the bound is that of the rows that are there.
  @Test func halfPrecisionStatesTheErrorThatItHas() throws {
    let directory = try TemporaryDirectory()
    let writer = try CacheWriter.open(
      directory.path, identity: .sample(.fp16), kernelLevel: "")
    let plan = try writer.missing(images: [0, 1], views: weak(0..<2), taps: [], featureViews: [])
    let unit = try writer.begin(plan[0])
    for image in 0...1 {
      let views = weak(0..<2).map { view in
        ViewRecord(
          view: view, pixelHash: 1, logits: teacher.logits(image, view).map { $0 * 40 })
      }
      try unit.append(image: image, label: 0, views: views)
    }
    try unit.seal()
    writer.close()
    let reader = try CacheReader.open(directory.path)
    var largest = 0.0
    var logits = [Float](repeating: 0, count: 10)
    for image in 0...1 {
      for view in weak(0..<2) {
        try reader.read(ViewKey(image: image, view: view), into: &logits)
        for (value, exact) in zip(logits, teacher.logits(image, view)) {
          largest = max(largest, abs(Double(value) - Double(exact * 40)))
        }
      }
    }
    #expect(largest > 0.0078125)
    #expect(reader.info.logitErrorBound == largest)
    for setting in CodingError.Setting.allCases {
      #expect(reader.info.codingError.largest(setting) <= largest)
    }
  }
}
