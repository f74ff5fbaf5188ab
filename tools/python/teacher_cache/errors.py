"""Why a cache cannot be read or written: what was found, what was expected, what to do."""


class CacheError(Exception):
    """Anything that is wrong with a cache, its images or what is asked of it."""


class NotACache(CacheError):
    """There is nothing at the path, or a directory without a manifest."""

    def __init__(self, path: str):
        super().__init__(
            f"{path} is not a teacher cache (no manifest.json); make one with teacher-dump --cache"
        )


class Missing(CacheError, LookupError):
    """A record or a file that is not there."""

    def __init__(self, what: str, path: str):
        super().__init__(f"{path} does not hold {what}; add it with teacher-dump or Writer")


class Mismatch(CacheError):
    """A field of the identity differs from what is needed."""

    def __init__(self, field: str, expected: object, found: object):
        self.field = field
        super().__init__(
            f"the cache was made with another {field}: it has {found}, expected {expected}; "
            f"use the matching {field} or another cache directory"
        )


class ReplayMismatch(CacheError):
    """Pixels that are not those that the teacher saw."""

    def __init__(self, image: int, view: object, expected: int, found: int):
        super().__init__(
            f"image {image}, view {view}: pixel_hash is {found:016x}, the teacher saw "
            f"{expected:016x}; the images or the augmentation differ from those of the dump: "
            "give the same data, or dump again into a new cache"
        )


class Corrupt(CacheError):
    """Bytes that are not what was written."""

    def __init__(self, path: str, reason: object):
        super().__init__(
            f"{path} is damaged: {reason}; delete that unit and run teacher-dump again, "
            "or copy the cache anew"
        )


class Truncated(CacheError):
    """A unit's file has another size than the manifest says."""

    def __init__(self, path: str, expected: int, found: int):
        super().__init__(
            f"{path} has {found} bytes, the manifest says {expected}; copy the cache anew"
        )


class WrongVersion(CacheError):
    """A format that this package does not know."""

    def __init__(self, path: str, found: object, expected: object):
        super().__init__(
            f"{path} has version {found}, this package reads {expected}; use the package of that "
            "version or dump again"
        )


class Locked(CacheError):
    """Another process writes the cache; `holder` names its host, pid and start."""

    def __init__(self, path: str, holder: str):
        self.holder = holder
        super().__init__(
            f"{path} is being written by {holder}; wait for it or stop it, then run this again"
        )


class DiskFull(CacheError):
    """No space is left; what was committed is safe."""

    def __init__(self, path: str, free: int):
        super().__init__(
            f"disk full on {path} ({free} bytes free); what was committed is safe: free some space "
            "and run the same again to continue"
        )


class NetworkFileSystem(CacheError):
    """LMDB must not write on a network file system."""

    def __init__(self, path: str, name: str):
        super().__init__(
            f"{path} lies on a network file system ({name}), where writing a cache is not safe; "
            "write to a local disk and copy the cache"
        )


class Unstorable(CacheError, ValueError):
    """Values that the chosen precision cannot hold."""

    def __init__(self, what: str, reason: str):
        super().__init__(f"{what}: {reason}; check the teacher, or choose a wider precision")


class DatasetError(CacheError):
    """Image files that are missing or not the publisher's."""


class MalformedRecord(Exception):
    """Why stored bytes cannot be decoded, before anyone knows the file's name."""
