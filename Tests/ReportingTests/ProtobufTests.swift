import Protobuf
import Testing

/// The bytes of protobuf messages, against the examples of protobuf.dev/programming-guides/encoding.
struct ProtobufTests {
  @Test func integersAreVarints() {
    var message = ProtobufMessage()
    message.add(1, 150)
    #expect(message.bytes == [0x08, 0x96, 0x01])
    var negative = ProtobufMessage()
    negative.add(1, -2)  // "-2 … 10 bytes long"
    #expect(negative.bytes == [0x08, 0xFE] + Array(repeating: 0xFF, count: 8) + [0x01])
    var zero = ProtobufMessage()
    zero.add(16, 0)  // a field above 15 takes two bytes
    #expect(zero.bytes == [0x80, 0x01, 0x00])
  }

  @Test func textsAndMessagesCarryTheirLength() {
    var message = ProtobufMessage()
    message.add(2, "testing")
    #expect(message.bytes == [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67])
    var outer = ProtobufMessage()
    outer.add(3) { $0.add(1, 150) }
    #expect(outer.bytes == [0x1A, 0x03, 0x08, 0x96, 0x01])
  }

  @Test func floatsAreLittleEndian() {
    var message = ProtobufMessage()
    message.add(1, 1.0)
    message.add(2, Float(-2))
    #expect(message.bytes == [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x15, 0, 0, 0, 0xC0])
  }
}
