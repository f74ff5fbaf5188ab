import Foundation
import Testing

/// Progress as a terminal and as a log get it.
struct TerminalTests {
  private let scratch: Scratch
  private var verify: [String] { ["verify", scratch.path + "/cache"] }

  init() throws { scratch = try SmallCache.make().scratch }

  @Test func aTerminalHasOneLineThatFitsItAndGoesAway() throws {
    for columns in [10, 24, 30] {
      let result = try Program.runOnTerminal("teacher-dump", verify, columns: UInt16(columns))
      #expect(result.status == 0, "\(result.errors)")
      // Every text begins where the last one did and ends by erasing what is left of it.
      let lines = result.errors.utf8.split(separator: 13).map {
        String(decoding: $0, as: UTF8.self)
      }
      let erase = "\u{1b}[K"
      #expect(lines.allSatisfy { $0.hasSuffix(erase) }, "\(lines)")
      let texts = lines.map { $0.dropLast(erase.count) }
      #expect(texts.first?.contains(columns > 20 ? "of 120 records" : "of 1") == true, "\(texts)")
      #expect(texts.allSatisfy { $0.count < columns }, "\(texts)")
      #expect(texts.contains { $0.count == columns - 1 }, "\(texts)")
      #expect(texts.last?.isEmpty == true, "\(texts)")
    }
  }

  @Test func anErrorStandsOnALineOfItsOwn() throws {
    // The records are counted before the images are looked for.
    let noImages = verify + ["--data", scratch.path]
    let result = try Program.runOnTerminal("teacher-dump", noImages, columns: 80)
    #expect(result.status == 66, "\(result.errors)")
    #expect(result.errors.contains("records"), "\(result.errors)")
    #expect(result.errors.contains("\r\u{1b}[Kerror: "), "\(result.errors)")
  }

  @Test func whatIsNoTerminalGetsNoControlCharacters() throws {
    let log = try Program.run("teacher-dump", verify, environment: ["TERM": "xterm"])
    #expect(log.status == 0 && log.errors.isEmpty, "\(log.errors)")
    let plain = try Program.runOnTerminal("teacher-dump", verify, columns: 80, type: "dumb")
    #expect(plain.status == 0 && plain.errors.isEmpty, "\(plain.errors)")
  }
}
