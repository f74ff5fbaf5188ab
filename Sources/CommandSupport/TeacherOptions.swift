import ArgumentParser
import Datasets
package import Experiments

/// The data set and the teacher's weight file, with what the file may not say.
package struct TeacherOptions: ParsableArguments {
  @Option(help: ArgumentHelp("cifar10, cifar100, mnist or fashion-mnist.", valueName: "name"))
  var dataset: String
  @Option(help: ArgumentHelp("Folder with the data set's files, or its parent.", valueName: "dir"))
  var data: String
  @Option(help: ArgumentHelp("The teacher's weights (safetensors).", valueName: "file"))
  var teacher: String
  @Option(help: ArgumentHelp("Its network, in place of what the file says.", valueName: "name"))
  var arch: String?
  @Option(
    help: ArgumentHelp("Its normalisation, in place of what the file says.", valueName: "r,g,b"))
  var mean: String?
  @Option(
    help: ArgumentHelp("Its normalisation, in place of what the file says.", valueName: "r,g,b"))
  var std: String?

  package init() {}
}

/// What is stored, and how.
package struct StorageOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Part of the training set: exp:RATIO, step:RATIO or list:FILE.", valueName: "subset"))
  var subset: String?
  @Option(
    help: ArgumentHelp(
      "plain, weak:N, strong:N (rounds 0 to N-1), weak:all (every distinct crop and flip).",
      valueName: "list"))
  var views: String
  @Option(help: ArgumentHelp("Seed of the random views.", valueName: "n"))
  var viewSeed: UInt64 = 0
  @OptionGroup var codec: CodecOptions
  @Option(help: ArgumentHelp("Views a teacher pass; results do not depend on it.", valueName: "n"))
  var batchSize: Int = 128

  package init() {}

  /// What is asked of a dump of the teacher into `cache`.
  ///
  /// - Throws: errors of usage for values that mean nothing.
  package func makeRequest(_ teacher: TeacherOptions, cache: String) throws -> DumpRequest {
    var request = DumpRequest(
      dataset: try DatasetName(parsing: teacher.dataset), dataPath: teacher.data,
      teacher: teacher.teacher, views: try ViewSet(parsing: views), cache: cache)
    request.architecture = teacher.arch
    (request.mean, request.std) = try normalization("", mean: teacher.mean, std: teacher.std)
    if let subset { request.subset = try Subset(parsing: subset) }
    request.viewSeed = viewSeed
    request.form = try codec.makeForm()
    guard (1...65_536).contains(batchSize) else {
      throw Failure(Status.usage, "--batch-size is \(batchSize); expected 1 to 65536")
    }
    request.batchSize = batchSize
    return request
  }
}
