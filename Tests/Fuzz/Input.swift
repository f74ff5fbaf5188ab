import Glibc

/// What libFuzzer made, as a file or a document: raw when its first byte is even, otherwise
/// changes to a sound one, three bytes each (place, place, new byte), so that no seeds are needed.
struct Input {
  let bytes: [UInt8]

  init(_ data: UnsafePointer<UInt8>, _ size: Int, sound: [UInt8]) {
    let all = Array(UnsafeBufferPointer(start: data, count: size))
    guard let mode = all.first, mode % 2 == 1, !sound.isEmpty else {
      bytes = Array(all.dropFirst())
      return
    }
    var changed = sound
    for start in stride(from: 1, to: all.count - 2, by: 3) {
      changed[(Int(all[start]) << 8 | Int(all[start + 1])) % sound.count] = all[start + 2]
    }
    // Some are cut as well.
    if mode % 8 == 7 { changed.removeLast(Int(mode) % changed.count) }
    bytes = changed
  }
}

/// A folder in memory for parsers that read files; one process, one folder.
let folder: String = {
  let path = "/dev/shm/fuzz-\(getpid())"
  mkdir(path, 0o755)
  atexit {
    for name in [
      "file", "manifest.json", "test.bin", "data.mdb", "lock.mdb", "train-images-idx3-ubyte",
      "train-labels-idx1-ubyte",
    ] {
      unlink(folder + "/" + name)
    }
    rmdir(folder)
  }
  return path
}()

func write(_ bytes: [UInt8], to name: String) {
  let descriptor = open(folder + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
  precondition(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
  close(descriptor)
}

func contents(_ name: String) -> [UInt8] {
  let descriptor = open(folder + "/" + name, O_RDONLY)
  precondition(descriptor >= 0)
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  return Array(bytes[..<max(0, read(descriptor, &bytes, bytes.count))])
}
