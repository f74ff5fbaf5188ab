"""Why a cache cannot be read or written: what was found, what was expected, what to do.

An error is made of its message alone, so that it passes from a worker process to its parent as what it
is; `of` writes the message.
"""

from __future__ import annotations


class CacheError(Exception):
    """Anything that is wrong with a cache, its images or what is asked of it."""


class NotACache(CacheError):
    """There is nothing at the path, or a directory without a manifest."""

    @classmethod
    def of(cls, path: str) -> NotACache:
        return cls(
            f"{path} is not a teacher cache (no manifest.json); make one with teacher-dump --cache"
        )


class NoManifest(CacheError):
    """Units without the manifest that lists them."""

    @classmethod
    def of(cls, path: str, units: int) -> NoManifest:
        return cls(
            f"{path} has no manifest.json, but {units} {'entry' if units == 1 else 'entries'} in "
            "units/; finish teacher-dump copy if it was that, put the manifest back from a copy, or "
            "choose another directory (to begin anew in this one, move units/ away)"
        )


class Missing(CacheError, LookupError):
    """A record or a file that is not there."""

    @classmethod
    def of(cls, what: str, path: str) -> Missing:
        return cls(f"{path} does not hold {what}; add it with teacher-dump or Writer")


class LostUnit(Missing):
    """A unit that the manifest lists and nobody finds."""

    @classmethod
    def of(cls, path: str, unit: str, held: str) -> LostUnit:
        return cls(
            f"the cache {path} has lost its unit {unit}, which held {held}; if the cache is still being "
            "copied, let that finish; else put the unit back from a copy, or let a teacher-dump or a "
            "Writer that asks for all of it make it again"
        )


class Mismatch(CacheError):
    """A field of the identity differs from what is needed; `field` names it."""

    field = ""

    @classmethod
    def of(cls, field: str, expected: object, found: object) -> Mismatch:
        error = cls(
            f"the cache was made with another {field}: it has {found}, expected {expected}; "
            f"use the matching {field} or another cache directory"
        )
        error.field = field
        return error


class ReplayMismatch(CacheError):
    """Pixels that are not those that the teacher saw."""

    @classmethod
    def of(cls, image: int, view: object, expected: int, found: int) -> ReplayMismatch:
        return cls(
            f"image {image}, view {view}: pixel_hash is {found:016x}, the teacher saw "
            f"{expected:016x}; the images or the augmentation differ from those of the dump: "
            "give the same data, or dump again into a new cache"
        )


class Corrupt(CacheError):
    """Bytes that are not what was written."""

    @classmethod
    def of(cls, path: str, reason: object) -> Corrupt:
        if path.endswith("/manifest.json"):
            cure = (
                "put it back from a copy of the cache, or copy the cache anew (the units hold nothing "
                "that could replace it)"
            )
        else:
            cure = "delete that unit and run teacher-dump again, or copy the cache anew"
        return cls(f"{path} is damaged: {reason}; {cure}")


class Truncated(CacheError):
    """A unit's file has another size than the manifest says."""

    @classmethod
    def of(cls, path: str, expected: int, found: int) -> Truncated:
        return cls(
            f"{path} has {found} bytes, the manifest says {expected}; copy the cache anew"
        )


class WrongVersion(CacheError):
    """A format that this package does not know."""

    @classmethod
    def of(cls, path: str, found: object, expected: object) -> WrongVersion:
        return cls(
            f"{path} has version {found}, this package reads {expected}; use the package of that "
            "version or dump again"
        )


class Locked(CacheError):
    """Another process writes the cache; `holder` names its host, pid and start."""

    holder = ""

    @classmethod
    def of(cls, path: str, holder: str) -> Locked:
        error = cls(
            f"{path} is being written by {holder}; wait for it or stop it, then run this again"
        )
        error.holder = holder
        return error


class NoPermission(CacheError):
    """The operating system does not let this user in."""

    @classmethod
    def of(cls, path: str) -> NoPermission:
        return cls(f"no permission for {path}; ask its owner or choose another directory")


class DiskFull(CacheError):
    """No space is left; what was committed is safe."""

    @classmethod
    def of(cls, path: str, free: int) -> DiskFull:
        return cls(
            f"disk full on {path}, or a quota ({free} bytes free); what was committed is safe: free some "
            "space and run the same again to continue"
        )


class NetworkFileSystem(CacheError):
    """LMDB must not write on a network file system."""

    @classmethod
    def of(cls, path: str, name: str) -> NetworkFileSystem:
        return cls(
            f"{path} lies on a network file system ({name}), where writing a cache is not safe; "
            "write to a local disk and copy the cache"
        )


class Unstorable(CacheError, ValueError):
    """Values that the chosen precision cannot hold."""

    @classmethod
    def of(cls, what: str, reason: str) -> Unstorable:
        return cls(f"{what}: {reason}; check the teacher, or choose a wider precision")


class DatasetError(CacheError):
    """Image files that are missing or not the publisher's."""


class MalformedRecord(Exception):
    """Why stored bytes cannot be decoded, before anyone knows the file's name."""
