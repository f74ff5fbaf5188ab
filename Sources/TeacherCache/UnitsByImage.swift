/// Which units hold an image.
struct UnitsByImage: Sendable {
  private let groupOfImage: [Int32]
  private let groups: [[Int]]

  init(_ units: [UnitEntry]) {
    let end = (units.compactMap { $0.images.ranges.last?.upperBound }.max() ?? -1) + 1
    var groups: [[Int]] = [[]]
    var numbers: [[Int]: Int32] = [[]: 0]
    var groupOfImage = [Int32](repeating: 0, count: end)
    for (index, unit) in units.enumerated() {
      for range in unit.images.ranges {
        for image in range {
          let units = groups[Int(groupOfImage[image])] + [index]
          if numbers[units] == nil {
            numbers[units] = Int32(groups.count)
            groups.append(units)
          }
          groupOfImage[image] = numbers[units] ?? 0
        }
      }
    }
    self.groups = groups
    self.groupOfImage = groupOfImage
  }

  subscript(image: Int) -> [Int] {
    groupOfImage.indices.contains(image) ? groups[Int(groupOfImage[image])] : []
  }

  var images: [Int] { groupOfImage.indices.filter { groupOfImage[$0] != 0 } }
}
