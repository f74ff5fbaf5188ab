package import Datasets

/// What a teacher said, by view: a cache, or one that is being filled while it is read.
package protocol StoredOutputs: AnyObject, Sendable {
  var identity: CacheIdentity { get }

  /// Whether the logits of a view, or with a tap its features there, are or will be stored. A weak
  /// round counts only as itself, not as its crop.
  func holds(_ key: ViewKey, tap: String?) -> Bool

  /// Reads the logits of a view into `classes` floats; gives the hash of the pixels behind them,
  /// the image's label, and the stored confidence, nil where logits are exact enough to give it.
  func readDetails(
    _ key: ViewKey, into logits: UnsafeMutablePointer<Float>
  ) throws(CacheError) -> (pixelHash: UInt64, label: Int, confidence: Float?)

  /// Reads the features of a view at a tap, H×W×C, into as many floats; gives the pixels' hash.
  @discardableResult
  func readFeatures(
    _ key: ViewKey, tap: String, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CacheError) -> UInt64

  /// Has what is stored of a view brought into memory, so that reading it will not wait for a disk.
  /// Does nothing where it is missing or damaged: reading says so.
  @discardableResult
  func prefetch(_ key: ViewKey, tap: String?) -> Bool
}

extension StoredOutputs {
  /// The key under which a view's logits, or its features at a tap, are stored: its own, or for a weak
  /// round that is not there the crop that it draws.
  package func storedKey(_ key: ViewKey, tap: String?, info: DatasetInfo) -> ViewKey {
    guard !holds(key, tap: tap), case .weak(let round) = key.view,
      UInt32(exactly: key.image) != nil
    else { return key }
    let number = ViewChoice.weakCrop(
      image: key.image, round: round, seed: identity.viewSeed, info: info)
    let crop = ViewKey(image: key.image, view: .crop(number))
    return holds(crop, tap: tap) ? crop : key
  }
}

extension CacheReader: StoredOutputs {}
