/// Rows of numbers in double precision: the logits of a batch (rows = images, columns = classes)
/// and the gradients at them.
///
/// Losses compute in double so that their values do not depend on how a network rounds; 64 × 100
/// numbers cost nothing beside one convolution.
package struct Matrix: Equatable, Sendable {
  package private(set) var rows: Int
  package let columns: Int
  /// rows × columns, row by row.
  package var values: [Double]

  package init(rows: Int, columns: Int, values: [Double]) {
    precondition(values.count == rows * columns, "\(values.count) values for \(rows)×\(columns)")
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  package init(rows: Int, columns: Int) {
    self.init(rows: rows, columns: columns, values: Array(repeating: 0, count: rows * columns))
  }

  package init(rows: Int, columns: Int, floats: [Float]) {
    self.init(rows: rows, columns: columns, values: floats.map(Double.init))
  }

  package var floats: [Float] { values.map { Float($0) } }

  package var isFinite: Bool { values.allSatisfy(\.isFinite) }

  /// The values of row `i`, without a copy.
  package func row(_ i: Int) -> ArraySlice<Double> {
    values[(i * columns)..<((i + 1) * columns)]
  }

  /// Row `i` as a matrix of its own.
  package func oneRow(_ i: Int) -> Matrix {
    Matrix(rows: 1, columns: columns, values: Array(row(i)))
  }

  /// Puts the rows of another matrix below these.
  package mutating func append(_ below: Matrix) {
    precondition(columns == below.columns, "\(below.columns) columns below \(columns)")
    values += below.values
    rows += below.rows
  }

  /// Adds `scale` × `other`, element by element.
  package mutating func add(_ other: Matrix, scale: Double = 1) {
    precondition(rows == other.rows && columns == other.columns, "shapes differ")
    for i in values.indices { values[i] += scale * other.values[i] }
  }

  /// Each element times `factor`.
  package func scaled(by factor: Double) -> Matrix {
    Matrix(rows: rows, columns: columns, values: values.map { $0 * factor })
  }

  /// The column of the largest value of each row; the first one of equal values.
  package var rowArgmax: [Int] {
    (0..<rows).map { i in
      let row = row(i)
      var best = row.startIndex
      for j in row.indices where row[j] > row[best] { best = j }
      return best - row.startIndex
    }
  }
}
