import Glibc

/// The folder in which a data set's files lie.
struct DataFolder {
  /// As the user named it, with the subfolder that was found in it.
  let path: String

  /// Finds the folder itself or its subfolder that has one of the files.
  ///
  /// - Parameters:
  ///   - directory: what the user named.
  ///   - subfolders: where else to look, relative to it, in this order.
  ///   - files: any one of these shows the folder.
  /// - Throws: `.missingFile` with what was looked for and where, `.permission` for a folder that
  ///   may not be entered.
  init(
    _ directory: String, subfolders: [String], files: [String], advice: String
  ) throws(DatasetError) {
    guard access(directory, F_OK) == 0 else {
      throw errno == EACCES
        ? DatasetError(cannotRead: directory, EACCES)
        : DatasetError(.missingFile, "there is no folder \(directory); \(advice)")
    }
    let places = [directory] + subfolders.map { Self.join(directory, $0) }
    for place in places {
      for file in files {
        if access(Self.join(place, file), F_OK) == 0 {
          path = place
          return
        }
        if errno == EACCES { throw DatasetError(cannotRead: place, EACCES) }
      }
    }
    throw DatasetError(
      .missingFile,
      "\(directory) has no \(files[0]), and neither has its \(subfolders.joined(separator: ", "));"
        + " \(advice)")
  }

  /// The path of a file in the folder.
  func file(_ name: String) -> String { Self.join(path, name) }

  /// The path of the first of these files that is there, otherwise of the first.
  func first(of names: [String]) -> String {
    file(names.first { access(file($0), F_OK) == 0 } ?? names[0])
  }

  private static func join(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
  }
}
