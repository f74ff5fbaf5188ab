import CSPNG
import Reporting
import Testing

struct PictureTests {
  private let white = Picture.Color(255, 255, 255)
  private let black = Picture.Color(0, 0, 0)

  @Test func everyPixelBecomesASquare() {
    var picture = Picture(height: 7, width: 8, fill: white)
    let image: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]  // 2×2
    picture.draw(image, height: 2, width: 2, scale: 3, row: 1, column: 2)
    for row in 0..<7 {
      for column in 0..<8 {
        var expected = white
        if (1..<7).contains(row), (2..<8).contains(column) {
          let start = ((row - 1) / 3 * 2 + (column - 2) / 3) * 3
          expected = Picture.Color(image[start], image[start + 1], image[start + 2])
        }
        #expect(picture.color(row: row, column: column) == expected)
      }
    }
  }

  /// The letter as it should look; written with scale 2, every dot is four pixels.
  @Test func lettersHaveTheirShapes() {
    var picture = Picture(height: 16, width: 24, fill: white)
    picture.write("L?", row: 0, column: 0, scale: 2, color: black)
    let rows = [
      ".##....###..", "..#...#...#.", "..#.......#.", "..#......#..", "..#.....#...",
      "..#.........",
      ".###....#...", "............",
    ]
    for (y, row) in rows.enumerated() {
      for (x, dot) in row.enumerated() {
        for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
          let color = picture.color(row: 2 * y + dy, column: 2 * x + dx)
          #expect(color == (dot == "#" ? black : white), "row \(y), column \(x)")
        }
      }
    }
  }

  @Test func everyCharacterOfNamesAndNumbersIsDrawn() {
    func drawing(_ character: Character) -> [UInt8] {
      var picture = Picture(height: 8, width: 6, fill: white)
      picture.write(String(character), row: 0, column: 0, scale: 1, color: black)
      return picture.pixels
    }
    let characters = Array("abcdefghijklmnopqrstuvwxyz0123456789.,:-_%/")
    let drawings = Set(characters.map(drawing))
    #expect(drawings.count == characters.count)
    #expect(drawings.allSatisfy { $0 != drawing("?") && $0 != drawing(" ") })
    #expect(drawing("A") == drawing("a"))
    #expect(drawing("é") == drawing("?"))
  }

  @Test func whatLeavesThePictureIsCutOff() {
    var picture = Picture(height: 4, width: 9, fill: white)
    picture.write("mmmm", row: -2, column: -3, scale: 1, color: black)
    #expect(picture.pixels.count == 4 * 9 * 3)
  }

  @Test func aPNGDecodesToThePixels() throws {
    var picture = Picture(height: 5, width: 3, fill: Picture.Color(9, 8, 7))
    picture.write("x", row: 0, column: 0, scale: 1, color: Picture.Color(200, 100, 50))
    let png = picture.png
    let context = try #require(spng_ctx_new(0))
    defer { spng_ctx_free(context) }
    #expect(spng_set_png_buffer(context, png, png.count) == 0)
    var header = spng_ihdr()
    #expect(spng_get_ihdr(context, &header) == 0)
    #expect(header.width == 3 && header.height == 5 && header.bit_depth == 8)
    var decoded = [UInt8](repeating: 0, count: 45)
    #expect(spng_decode_image(context, &decoded, 45, Int32(SPNG_FMT_RGB8.rawValue), 0) == 0)
    #expect(decoded == picture.pixels)
  }
}
