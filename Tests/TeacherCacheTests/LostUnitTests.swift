import Datasets
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

/// Units that the manifest lists and that are not there.
@Suite struct LostUnitTests {
  private let teacher = FakeTeacher()
  private let images = Array(0..<60)
  private let views = weak(0..<4)

  /// A copy that is still under way has not brought all units, and a damaged one may have been deleted:
  /// whoever writes makes it again or leaves the cache as it is.
  @Test(arguments: ["", "/data.mdb"])
  func aLostUnitIsMadeAgainOrKeptOnTheList(file: String) throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8)
    try teacher.dump(directory.path, identity, images: images, views: views)
    let manifest = try CacheManifest.read(from: directory.path)
    let hash = try CacheReader.open(directory.path).contentHash
    let unit = try #require(manifest.units.first)
    try FileManager.default.removeItem(atPath: "\(directory.path)/\(unit.path)\(file)")
    let lost = CacheError.lostUnit(path: directory.path, unit)
    #expect(throws: lost) { try CacheReader.open(directory.path) }
    #expect(lost.description.contains(" of \(images.count) images from \(images[0]) on"))
    for other in [[View.plain], Array(views.dropLast())] {
      #expect(throws: lost) {
        _ = try CachePlan(
          directory.path, identity: identity, images: images, views: other, taps: [],
          featureViews: [])
      }
      #expect(throws: lost) {
        try teacher.dump(directory.path, identity, images: images, views: other)
      }
    }
    #expect(try CacheManifest.read(from: directory.path) == manifest)
    try teacher.dump(directory.path, identity, images: images, views: views + [.plain])
    #expect(
      try CacheReader.verify(directory.path).recordsChecked == images.count * (views.count + 1))
    try teacher.dump(directory.path, identity, images: images, views: views)
    #expect(try CacheReader.open(directory.path).contentHash != hash)  // plain views came along
  }

  /// It stays listed until it is there again, whatever is sealed before that.
  @Test func aKillBeforeItIsMadeAgainForgetsNothing() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8)
    try teacher.dump(directory.path, identity, images: Array(images.prefix(10)), views: weak(0..<1))
    try teacher.dump(directory.path, identity, images: Array(images.dropFirst(10)), views: views)
    let unit = try #require(CacheManifest.read(from: directory.path).units.last)
    #expect(unit.images.count == 50)
    try FileManager.default.removeItem(atPath: "\(directory.path)/\(unit.path)")
    do {
      let writer = try CacheWriter(directory.path, identity, "test", mapBytes: 64 << 10)
      let plan = try writer.missing(images: images, views: views, taps: [], featureViews: [])
      try #require(plan.map(\.images.count) == [10, 50])
      let first = try writer.begin(plan[0])
      try teacher.fill(first)
      try first.seal()
      let second = try writer.begin(plan[1])
      try teacher.fill(second, limit: 20)
      try second.commit()
      writer.close()
    }
    let listed = try CacheManifest.read(from: directory.path).units
    #expect(listed.count == 3 && listed.contains(unit))
    let lost = CacheError.lostUnit(path: directory.path, unit)
    #expect(throws: lost) {
      try teacher.dump(directory.path, identity, images: images, views: [.strong(0)])
    }
    try teacher.dump(directory.path, identity, images: images, views: views)
    #expect(
      try CacheReader.verify(directory.path).recordsChecked == images.count * views.count)
  }

  /// As when one of two units that held the same was deleted.
  @Test func aLostUnitWhoseRecordsAreElsewhereLeavesTheList() throws {
    let directory = try TemporaryDirectory()
    let other = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8)
    try teacher.dump(directory.path, identity, images: images, views: views)
    try teacher.dump(other.path, identity, images: images, views: weak(0..<1))
    let manifest = try CacheManifest.read(from: directory.path)
    var listed = manifest
    listed.units += try CacheManifest.read(from: other.path).units
    try listed.write(to: directory.path)
    let lost = CacheError.lostUnit(path: directory.path, try #require(listed.units.last))
    #expect(throws: lost) { try CacheReader.verify(directory.path) }
    #expect(try teacher.dump(directory.path, identity, images: images, views: views) == 0)
    #expect(try CacheManifest.read(from: directory.path) == manifest)
  }
}
