import Foundation
import Reporting

/// What `tools/bench` asks this process to measure: the JSON object in `TEACHER_CACHE_BENCH`.
///
/// The process says READY when it is warm, then measures one round for every line that it reads and
/// answers ROUND, and at the end of its input it says RESULT; each word is followed by a JSON object.
/// So two processes can be measured in turn.
struct Job: Decodable {
  enum Mode: String, Decodable {
    /// Names of all networks, the kernel level.
    case machine
    /// The most multiply-adds this processor can do.
    case peak
    /// Forward, loss, backward, optimiser on images in memory.
    case train
    /// Forward alone, as a teacher runs.
    case infer
    /// One convolution: forward, input gradient, weight gradient.
    case convolution
    /// A run of `student-train`, all of it, measured step by step.
    case run
    /// Reading a cache in order and at random.
    case reads
    /// Rendering views and hashing pixels.
    case views
    /// Writes a weight file of a network as it is before training.
    case weights
  }

  struct Convolution: Decodable {
    let inputs: Int
    let outputs: Int
    let size: Int
    let kernel: Int
    let strides: Int
    let groups: Int
  }

  let mode: Mode
  var threads = 1
  /// Of one round.
  var seconds = 1.0
  var network = "resnet20"
  var batch = 64
  var classes = 100
  /// ce, kd or crld.
  var loss = "ce"
  var convolution: Convolution?
  /// Folder of a cache.
  var cache: String?
  /// Weight file of a live teacher, or the one to write.
  var weights: String?
  var data: String?
  /// Settings of a run by their names in `--set`.
  var settings: [String: String] = [:]
  /// Folder of a run.
  var output: String?

  /// nil when nobody asks for a measurement.
  static let text = ProcessInfo.processInfo.environment["TEACHER_CACHE_BENCH"]

  private enum Key: CodingKey {
    case mode, threads, seconds, network, batch, classes, loss, convolution, cache, weights, data
    case settings, output
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    mode = try values.decode(Mode.self, forKey: .mode)
    func read<Value: Decodable>(_ key: Key, _ value: inout Value) throws {
      value = try values.decodeIfPresent(Value.self, forKey: key) ?? value
    }
    try read(.threads, &threads)
    try read(.seconds, &seconds)
    try read(.network, &network)
    try read(.batch, &batch)
    try read(.classes, &classes)
    try read(.loss, &loss)
    convolution = try values.decodeIfPresent(Convolution.self, forKey: .convolution)
    cache = try values.decodeIfPresent(String.self, forKey: .cache)
    weights = try values.decodeIfPresent(String.self, forKey: .weights)
    data = try values.decodeIfPresent(String.self, forKey: .data)
    try read(.settings, &settings)
    output = try values.decodeIfPresent(String.self, forKey: .output)
  }
}

/// What a job lacks or names wrongly.
struct JobError: Error, CustomStringConvertible {
  let description: String
}

/// Writes one line of the conversation with `tools/bench`.
func say(_ word: String, _ members: [(String, JSONValue)]) {
  FileHandle.standardOutput.write(Data("\(word) \(JSONValue.object(members).text)\n".utf8))
}

/// Answers every line of standard input with a round, until there are no more.
func serve(_ round: () throws -> [(String, JSONValue)]) rethrows {
  say("READY", [])
  while readLine() != nil { say("ROUND", try round()) }
}

/// Repeats `step` for so many seconds, at least three times; the seconds that each took.
func stopwatch(seconds: Double, _ step: () throws -> Void) rethrows -> [Double] {
  let start = ContinuousClock.now
  var times: [Double] = []
  var last = start
  while times.count < 3 || last - start < .seconds(seconds) {
    try step()
    let now = ContinuousClock.now
    times.append((now - last) / .seconds(1))
    last = now
  }
  return times
}

/// The middle of an odd number of values, the mean of the middle two of an even one.
func median(_ values: [Double]) -> Double {
  precondition(!values.isEmpty, "no values have no median")
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// The most memory this process has held so far, in bytes; nil where the system does not say.
func peakResidentBytes() -> Int? {
  let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
  return line?.split(separator: " ").compactMap { Int($0) }.first.map { $0 * 1024 }
}
