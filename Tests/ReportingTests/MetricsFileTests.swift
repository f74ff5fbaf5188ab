import Foundation
import Reporting
import Testing

/// What is written from metrics.jsonl for other programs: TensorBoard's event file and a table.
struct MetricsFileTests {
  private static func lines(_ text: String) throws -> [EpochMetrics] {
    try EpochMetrics.lines(of: Data(text.utf8))
  }

  /// RFC 3720, B.4, and the check value of the catalogue of CRC algorithms.
  @Test func theChecksumIsCastagnolis() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(0..<32) == 0x46DD_794E)
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
  }

  /// The records of TensorBoard 2.21's own classes:
  ///
  ///     event_pb2.Event(wall_time=1000.5, file_version="brain.Event:2")
  ///     e = event_pb2.Event(wall_time=1010.5, step=3)
  ///     e.summary.value.add(tag="loss/total", simple_value=0.25)
  ///     e.summary.value.add(tag="test/top1", simple_value=72.5)
  ///
  /// serialised, each with length and masked_crc32c before and behind.
  @Test func eventsAreThoseOfTensorBoard() throws {
    let bytes = try EventFile.bytes(
      Self.lines(
        """
        {"epoch":3,"loss":0.25,"test_top1":72.5,"seconds":10,"time":1010.5,"train_top1":null}
        """), configuration: "method: kd\n")
    let hex = bytes.map { String(format: "%02x", $0) }.joined()
    #expect(
      hex.hasPrefix(
        "1800000000000000a37f4b22090000000000448f401a0d627261696e2e4576656e743a32aba33345"))
    #expect(
      hex.hasSuffix(
        "3200000000000000241956ec090000000000948f4010032a250a110a0a6c6f73732f746f74616c15"
          + "0000803e0a100a09746573742f746f70311500009142e7e89c01"))
  }

  /// A tag's group is what stands before its slash.
  @Test func onlyTermsOfTheLossAreAmongTheLosses() throws {
    let bytes = try EventFile.bytes(
      Self.lines(
        """
        {"epoch":1,"loss":2,"ce":1,"kd":1,"lr":0.1,"train_top1":10,"test_top1":10,"val_top1":10,\
        "ema_test_top1":10,"shadow_top1":10,"cache_wait_fraction":0.5}
        """), configuration: "a: b")
    let tags = String(decoding: bytes, as: UTF8.self).matches(of: /[a-z]+\/[a-z_0-9]+/)
    #expect(
      Set(tags.map { String($0.output) }) == [
        "config/text_summary", "loss/total", "loss/ce", "loss/kd", "train/top1", "test/top1",
        "val/top1", "test/ema_top1", "accuracy/shadow_top1", "speed/cache_wait_fraction",
      ])
  }

  @Test func anEpochMoreOnlyAddsBytes() throws {
    let text = (1...3).map { #"{"epoch":\#($0),"loss":\#(1 / Double($0)),"lr":0.1,"seconds":2}"# }
    var before: [UInt8] = []
    for count in 1...3 {
      let bytes = try EventFile.bytes(
        Self.lines(text.prefix(count).joined(separator: "\n")), configuration: "a: b")
      #expect(bytes.count > before.count)
      #expect(Array(bytes.prefix(before.count)) == before)
      before = bytes
    }
    #expect(EventFile.bytes([], configuration: "a: b").isEmpty)
  }

  @Test func theTableHasTheDigitsOfTheLines() throws {
    let numbers = ["0.005000000000000001", "0.8658192701472355", "2.6364148880347673", "1e-09"]
    for number in numbers {
      let lines = try Self.lines(#"{"epoch":1,"lr":\#(number)}"#)
      #expect(EpochMetrics.table(lines) == "epoch,lr\n1,\(number)\n")
    }
  }

  @Test func aLineThatIsNoneIsNamedUnlessItIsBeingWritten() throws {
    #expect(try Self.lines("{\"epoch\":1}\n{\"epo").map(\.epoch) == [1])
    for text in ["{\"epo\n{\"epoch\":2}\n", "{\"loss\":1}\n", "{\"epoch\":1.5}\n", "[]\n"] {
      let error = #expect(throws: MalformedLine.self) { try Self.lines(text) }
      #expect(error?.number == 1)
    }
  }

  @Test func theTableHasTimmsColumns() throws {
    let lines = try Self.lines(
      """
      {"epoch":1,"lr":0.05,"loss":2.5,"ce":1.5,"kd":1.0,"train_top1":10,"test_top1":null,\
      "test_top5":null,"images_per_second":100.5,"cache_wait_fraction":null,"seconds":1,"time":9}
      {"epoch":2,"lr":0.05,"loss":2.25,"ce":1.25,"kd":1.0,"train_top1":20,"test_top1":15.5,\
      "test_top5":50,"images_per_second":101,"cache_wait_fraction":null,"seconds":1,"time":10}
      """)
    #expect(
      EpochMetrics.table(lines) == """
        epoch,train_loss,train_ce,train_kd,train_top1,eval_top1,eval_top5,cache_wait_fraction,\
        images_per_second,lr,seconds,time
        1,2.5,1.5,1.0,10.0,,,,100.5,0.05,1.0,9.0
        2,2.25,1.25,1.0,20.0,15.5,50.0,,101.0,0.05,1.0,10.0

        """)
    #expect(EpochMetrics.table([]).isEmpty)
  }

  /// `np.save` of `np.array([[1, 2, 3], [4, 5, 6.5]], "<f4")` with NumPy 2.4: 128 bytes of header.
  @Test func anArrayIsNumPys() {
    let file = NumPyArray.file([1, 2, 3, 4, 5, 6.5], rows: 2, columns: 3)
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
    #expect(Array(file.prefix(10)) == [0x93, 78, 85, 77, 80, 89, 1, 0, 118, 0])
    #expect(
      String(decoding: file[10..<128], as: UTF8.self)
        == header + String(repeating: " ", count: 117 - header.count) + "\n")
    #expect(file.count == 128 + 24)
    #expect(Array(file.suffix(8)) == [0, 0, 0xA0, 0x40, 0, 0, 0xD0, 0x40])
  }
}
