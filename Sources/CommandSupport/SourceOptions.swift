import ArgumentParser
import Datasets
package import Experiments
package import Tensors

/// Where images and teacher outputs come from.
package struct SourceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A cache of teacher-dump.", valueName: "dir"))
  var cache: String?
  @Option(
    help: ArgumentHelp(
      "cifar10, cifar100, mnist or fashion-mnist; a cache knows its own.", valueName: "name"))
  var dataset: String?
  @Option(
    help: ArgumentHelp(
      "Folder with the data set's files, or its parent.",
      valueName: "dir"))
  var data: String?
  @Option(help: ArgumentHelp("Start from these weights.", valueName: "file"))
  var `init`: String?
  @Option(help: ArgumentHelp("Run this teacher live, in place of a cache.", valueName: "file"))
  var teacher: String?
  @Option(help: ArgumentHelp("Its network, in place of what the file says.", valueName: "name"))
  var teacherArch: String?
  @Option(
    help: ArgumentHelp("Its normalisation, in place of what the file says.", valueName: "r,g,b"))
  var teacherMean: String?
  @Option(
    help: ArgumentHelp("Its normalisation, in place of what the file says.", valueName: "r,g,b"))
  var teacherStd: String?

  package init() {}

  /// Opens everything that a run is made of and checks that it fits together.
  ///
  /// - Parameter output: the run's folder, which may hold this run already.
  package func openSession(
    _ options: SettingOptions, _ storing: WriteThroughOptions, on execution: Execution,
    output: String? = nil, isPreview: Bool = false
  ) throws -> TrainingSession {
    try TrainingSession(
      teacher: makeTeacher(storing), dataPath: requireData(), initialWeights: `init`,
      flags: flags(options), sets: options.sets, recipe: try options.openRecipe(),
      execution: execution, output: output, isPreview: isPreview)
  }

  /// The configuration that a run would have, without training, and what the user should know: with
  /// `--data` exactly what its config.yaml would hold, without it the settings as far as they are
  /// known.
  package func preview(
    _ options: SettingOptions, _ storing: WriteThroughOptions,
    on execution: @autoclosure () throws -> Execution, output: String?
  ) throws -> (configuration: RunConfiguration, notes: [String]) {
    guard data == nil else {
      let session = try openSession(
        options, storing, on: execution(), output: output, isPreview: true)
      return (session.configuration, session.notes)
    }
    let recipe = try options.openRecipe()
    let configuration = try TrainingSession.preview(
      makeTeacher(storing), hasInitialWeights: `init` != nil, flags: flags(options),
      sets: options.sets, recipe: recipe)
    return (configuration, configuration.settings.unreachedEpochs + (recipe?.notes ?? []))
  }

  /// The settings among these: what a sweep says to every run.
  package var settings: [(key: String, value: String)] {
    dataset.map { [("dataset", $0)] } ?? []
  }

  /// The same choice of teacher and images for a program started by this one, without the settings.
  package func arguments() throws -> [String] {
    try requireData()
    let options = [
      ("cache", cache), ("data", data), ("init", `init`),
      ("teacher", teacher), ("teacher-arch", teacherArch), ("teacher-mean", teacherMean),
      ("teacher-std", teacherStd),
    ]
    return options.compactMap { name, value in value.map { "--\(name)=\($0)" } }
  }

  /// Refuses what a run would be refused for before its first step.
  ///
  /// - Parameter output: the run's folder.
  package func check(_ run: SweepRun, output: String, on execution: Execution) throws {
    let session = try TrainingSession(
      teacher: makeTeacher(nil), dataPath: requireData(), initialWeights: `init`, flags: [],
      sets: run.sets, recipe: run.recipe.map(shippedRecipes().recipe), execution: execution,
      output: output, isPreview: true)
    try RunDirectory.check(output, for: session.configuration)
  }

  /// The folder of the images, which only a preview can do without.
  @discardableResult
  package func requireData() throws -> String {
    guard let data else {
      throw Failure(Status.usage, "--data is missing: the folder with the data set's files")
    }
    return data
  }

  private func flags(_ options: SettingOptions) -> [(key: String, value: String)] {
    options.given + settings
  }

  /// - Parameter storing: nil in a command that stores nothing.
  private func makeTeacher(_ storing: WriteThroughOptions?) throws -> TeacherChoice {
    let writeThrough = storing?.writeThrough ?? false
    if !writeThrough, let flag = storing?.codec.given.first {
      throw Failure(
        Status.usage, "\(flag) says how outputs are stored and goes with --write-through")
    }
    let teacher: TeacherChoice
    switch (cache, self.teacher) {
    case (let cache?, let path?):
      guard writeThrough else {
        throw Failure(
          Status.usage,
          "--cache and --teacher exclude each other: either read what the teacher said, or run it "
            + "live"
            + (storing == nil ? "" : "; add --write-through to run it live and fill the cache"))
      }
      var request = WriteThroughRequest(cache: cache, teacher: path)
      (request.mean, request.std) = try normalization(
        "teacher-", mean: teacherMean, std: teacherStd)
      request.architecture = teacherArch
      request.form = try storing?.codec.makeForm() ?? StorageForm()
      teacher = .writeThrough(request)
    case _ where writeThrough:
      throw Failure(
        Status.usage,
        "--write-through needs --teacher FILE, which is evaluated, and --cache DIR, which is "
          + "filled; \(cache == nil ? "--cache" : "--teacher") is not given")
    case (let cache, nil):
      for (flag, value) in [
        ("--teacher-arch", teacherArch), ("--teacher-mean", teacherMean),
        ("--teacher-std", teacherStd),
      ] where value != nil {
        throw Failure(
          Status.usage,
          "\(flag) goes with --teacher" + (cache == nil ? "" : "; a cache knows its teacher"))
      }
      teacher = cache.map(TeacherChoice.cache) ?? .none
    case (nil, let path?):
      let (mean, std) = try normalization("teacher-", mean: teacherMean, std: teacherStd)
      teacher = .live(path, architecture: teacherArch, mean: mean, std: std)
    }
    return teacher
  }
}
