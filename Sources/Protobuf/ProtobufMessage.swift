/// The bytes of one protobuf message, field after field in the order in which they are added.
///
/// Only the wire types that the files written here need (protobuf.dev/programming-guides/encoding):
/// varint (0), 64 bits (1), length-delimited (2) and 32 bits (5). Fields with their default value are
/// written too where they are added.
package struct ProtobufMessage: Sendable {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  /// Adds an int32, int64, enum or bool.
  package mutating func add(_ field: Int, _ value: Int) {
    key(field, wireType: 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  /// Adds a double.
  package mutating func add(_ field: Int, _ value: Double) {
    key(field, wireType: 1)
    append(value.bitPattern.littleEndian)
  }

  /// Adds a float.
  package mutating func add(_ field: Int, _ value: Float) {
    key(field, wireType: 5)
    append(value.bitPattern.littleEndian)
  }

  /// Adds a string.
  package mutating func add(_ field: Int, _ text: String) {
    add(field, Array(text.utf8))
  }

  /// Adds bytes.
  package mutating func add(_ field: Int, _ data: [UInt8]) {
    key(field, wireType: 2)
    varint(UInt64(data.count))
    bytes.append(contentsOf: data)
  }

  /// Adds a message inside this one.
  package mutating func add(_ field: Int, _ message: ProtobufMessage) {
    add(field, message.bytes)
  }

  /// Adds a message that `build` fills.
  package mutating func add(_ field: Int, _ build: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    build(&message)
    add(field, message)
  }

  private mutating func key(_ field: Int, wireType: Int) {
    precondition((1..<1 << 29).contains(field), "protobuf has no field number \(field)")
    varint(UInt64(field << 3 | wireType))
  }

  /// Seven bits a byte, the lowest first; the top bit says that more follow.
  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest > 127 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }
}
