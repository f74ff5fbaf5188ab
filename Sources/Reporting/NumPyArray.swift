/// A matrix of floats as NumPy's `.npy` file (format version 1.0, little-endian, C order).
package enum NumPyArray {
  /// The file's bytes for rows × columns values, row by row.
  package static func file(_ values: [Float], rows: Int, columns: Int) -> [UInt8] {
    precondition(values.count == rows * columns, "\(values.count) values for \(rows)×\(columns)")
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(rows), \(columns)), }"
    // Magic, version and length take ten bytes; the values begin at a multiple of 64.
    let used = 10 + header.utf8.count + 1
    header += String(repeating: " ", count: (64 - used % 64) % 64) + "\n"
    var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    bytes += [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)]
    bytes += Array(header.utf8)
    values.map(\.bitPattern.littleEndian).withUnsafeBytes { bytes.append(contentsOf: $0) }
    return bytes
  }
}
