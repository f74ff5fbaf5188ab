import Datasets
import Foundation
import Testing

struct ClassNamesTests {
  @Test func digitsAndClothesHaveTheirNames() {
    #expect(DatasetName.mnist.classNames(in: "/nonexistent") == (0..<10).map(String.init))
    #expect(DatasetName.fashionMNIST.classNames(in: "/nonexistent")?[9] == "ankle boot")
  }

  @Test func namesComeFromThePublishersList() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("names-\(UUID().uuidString)/cifar-10-batches-bin")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }
    let file = folder.appendingPathComponent("batches.meta.txt")
    let names = (0..<10).map { "class number \($0)" }
    func write(_ text: String) throws -> [String]? {
      try Data(text.utf8).write(to: file)
      // The folder itself or its parent, as for the images.
      let fromParent = DatasetName.cifar10.classNames(in: folder.deletingLastPathComponent().path)
      #expect(DatasetName.cifar10.classNames(in: folder.path) == fromParent)
      return fromParent
    }
    #expect(try write(names.joined(separator: "\n") + "\n\n") == names)
    #expect(try write(names.joined(separator: "\r\n")) == names)
    // Too few, or letters that a terminal would act on: no names are better than wrong ones.
    #expect(try write(names.dropLast().joined(separator: "\n")) == nil)
    #expect(try write((names.dropLast() + ["\u{1b}[2J"]).joined(separator: "\n")) == nil)
    #expect(DatasetName.cifar100.classNames(in: folder.path) == nil)
  }
}
