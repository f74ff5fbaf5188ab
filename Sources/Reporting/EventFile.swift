internal import FileIO
internal import Protobuf

/// A run's numbers as TensorBoard reads them: a pure function of its metrics and its configuration,
/// to which an epoch more only adds bytes at the end.
///
/// A record is its length (8 bytes, little-endian), the length's masked CRC32C, a serialised
/// `tensorflow.Event` and that one's masked CRC32C. Field numbers are those of TensorFlow's
/// event.proto and summary.proto.
package enum EventFile {
  /// What TensorBoard looks for in names is `tfevents`.
  package static let name = "events.out.tfevents.0.student-train"

  /// The file's bytes; none before the first epoch.
  ///
  /// - Parameter configuration: shown under "Text".
  package static func bytes(_ lines: [EpochMetrics], configuration: String) -> [UInt8] {
    guard let first = lines.first else { return [] }
    let start = (first.values["time"] ?? 0) - (first.values["seconds"] ?? 0)
    var bytes = record(event(at: start, step: 0) { $0.add(3, "brain.Event:2") })
    bytes += record(
      event(at: start, step: 0) { event in
        event.add(5) { $0.add(1, text("config", configuration)) }
      })
    var elapsed = 0.0
    for line in lines {
      elapsed += line.values["seconds"] ?? 0
      // Runs of earlier versions say only how long an epoch took.
      let time = line.values["time"] ?? start + elapsed
      bytes += record(
        event(at: time, step: line.epoch) { event in
          event.add(5) { summary in
            for name in line.names {
              guard let tag = EpochMetrics.tag(of: name), let number = line.values[name] else {
                continue
              }
              summary.add(1) { value in
                value.add(1, tag)
                value.add(2, Float(number))
              }
            }
          }
        })
    }
    return bytes
  }

  private static func event(
    at seconds: Double, step: Int, _ build: (inout ProtobufMessage) -> Void
  ) -> ProtobufMessage {
    var event = ProtobufMessage()
    event.add(1, seconds)
    if step != 0 { event.add(2, step) }
    build(&event)
    return event
  }

  /// A text for the text plugin: Markdown, so the lines are indented as code.
  private static func text(_ tag: String, _ text: String) -> ProtobufMessage {
    let markdown = text.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
    var value = ProtobufMessage()
    value.add(1, tag + "/text_summary")
    value.add(9) { metadata in
      metadata.add(1) { $0.add(1, "text") }
    }
    value.add(8) { tensor in
      tensor.add(1, 7)  // DT_STRING
      tensor.add(2) { shape in
        shape.add(2) { $0.add(1, 1) }
      }
      tensor.add(8, markdown)
    }
    return value
  }

  private static func record(_ event: ProtobufMessage) -> [UInt8] {
    let length = [UInt8](littleEndian: UInt64(event.bytes.count))
    return length + [UInt8](littleEndian: CRC32C.masked(length)) + event.bytes
      + [UInt8](littleEndian: CRC32C.masked(event.bytes))
  }
}
