extension DatasetName {
  /// The names of the classes, by label: the publisher's list in the folder with the files or its
  /// parent, where the data set has one; nil where that is missing or not what it should be.
  package func classNames(in directory: String) -> [String]? {
    switch self {
    case .cifar10: Self.list("batches.meta.txt", of: CIFAR.ten(), in: directory)
    case .cifar100: Self.list("fine_label_names.txt", of: CIFAR.hundred(), in: directory)
    case .mnist: (0..<10).map(String.init)
    // The publisher's table, in small letters.
    case .fashionMNIST:
      [
        "t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
        "ankle boot",
      ]
    }
  }

  /// One name a line.
  private static func list(_ file: String, of set: CIFAR, in directory: String) -> [String]? {
    guard
      let folder = try? DataFolder(directory, subfolders: [set.folder], files: [file], advice: ""),
      let bytes = try? readText(folder.file(file), limit: 64 << 10)
    else { return nil }
    let names = bytes.split { $0 == 10 || $0 == 13 }.map { String(decoding: $0, as: UTF8.self) }
    // Names are printed: nothing in them may move a terminal's cursor.
    let areNames = names.allSatisfy { name in
      name.utf8.count <= 64 && name.utf8.allSatisfy { (32..<127).contains($0) }
    }
    return names.count == set.classes && areNames ? names : nil
  }
}
