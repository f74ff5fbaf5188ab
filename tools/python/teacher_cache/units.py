"""Sealed units: LMDB environments that never change, each open once in a process."""

from __future__ import annotations

import os
import re
import stat
import threading
import weakref
from typing import Optional, Sequence

import lmdb

from .errors import CacheError, Corrupt, LostUnit, MalformedRecord, Truncated, WrongVersion
from .manifest import LMDB_FORMAT, UnitEntry
from .pages import check_pages
from .records import LOGITS_TABLE, RecordIndex, features_table

# Where units lie, and how the names of those begin that nobody sealed: dumps and training runs.
UNITS, UNSEALED, JOURNAL = "units", ".tmp-", ".seen-"
_MAXIMUM_TABLES = 64


class Unit:
    """One sealed unit, open for reading in this process only."""

    def __init__(self, entry: UnitEntry, directory: str):
        """Opens a unit of the cache at `directory`; size and pages are checked before it is mapped."""
        self.entry = entry
        self.path = os.path.join(directory, entry.path)
        _check_file(entry, self.path)
        _check_library(self.path)
        try:
            check_pages(os.path.join(self.path, "data.mdb"))
            self._environment = lmdb.open(
                self.path, map_size=entry.bytes, readonly=True, lock=False, readahead=False,
                create=False, max_dbs=_MAXIMUM_TABLES,
            )  # fmt: skip
            self._transaction = self._environment.begin(buffers=True)
        except (lmdb.Error, OSError) as error:
            raise unit_error(self.path, error) from error
        self._indexes: dict[Optional[str], RecordIndex] = {}

    def index(self, tap: Optional[str] = None) -> RecordIndex:
        """The records of logits or, with a tap, of its features."""
        if tap not in self._indexes:
            name = LOGITS_TABLE if tap is None else features_table(tap)
            try:
                table = self._environment.open_db(name, txn=self._transaction, create=False)
                with self._transaction.cursor(table) as cursor:
                    self._indexes[tap] = RecordIndex(iter(cursor))
            except lmdb.NotFoundError:
                raise Corrupt.of(self.path, f"there is no table {name.decode()}") from None
            except lmdb.Error as error:
                raise unit_error(self.path, error) from error
            except MalformedRecord as error:
                raise Corrupt.of(self.path, error) from error
        return self._indexes[tap]

    def close(self) -> None:
        """Ends the map; nothing read from it may be used any more."""
        self._indexes.clear()
        self._environment.close()


# py-lmdb refuses to open a path twice, so readers of one cache share its units.
_open: weakref.WeakValueDictionary[str, Unit] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def open_unit(entry: UnitEntry, directory: str) -> Unit:
    """The unit of the cache at `directory`, opened or shared with another reader."""
    name = os.path.realpath(os.path.join(directory, entry.path))
    with _opening:
        unit = _open.get(name)
        if unit is None or unit.entry != entry:
            unit = _open[name] = Unit(entry, directory)
        return unit


def _forget_inherited() -> None:
    """In the child of a fork: what the parent opened is closed here, and stays open there."""
    global _opening
    _opening = threading.Lock()  # another thread of the parent may have held it
    for unit in list(_open.values()):
        unit.close()
    _open.clear()


os.register_at_fork(after_in_child=_forget_inherited)


def unit_error(path: str, error: Exception) -> CacheError:
    """What an error of LMDB or the system means for a cache."""
    if isinstance(error, lmdb.VersionMismatchError):
        return WrongVersion.of(path, "another LMDB format", f"LMDB {LMDB_FORMAT}")
    if isinstance(error, (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError)):
        return Corrupt.of(path, error)
    return CacheError(f"{path}: {error}")


def _check_library(path: str) -> None:
    if lmdb.version()[:2] != (0, 9):
        found = ".".join(map(str, lmdb.version()))
        raise WrongVersion.of(path, f"LMDB {LMDB_FORMAT}", f"LMDB {found} (the installed package)")


def _check_file(entry: UnitEntry, path: str) -> None:
    """Refuses links, missing files and files of another size than the manifest says."""
    data = os.path.join(path, "data.mdb")
    for place, is_kind in ((path, stat.S_ISDIR), (data, stat.S_ISREG)):
        try:
            mode = os.lstat(place).st_mode
        except FileNotFoundError:
            directory = path.removesuffix("/" + entry.path)
            raise LostUnit.of(directory, entry.path, entry.held) from None
        if not is_kind(mode):
            raise Corrupt.of(place, "it is a link or no file, which a cache never contains")
    size = os.lstat(data).st_size
    if size != entry.bytes:
        raise Truncated.of(data, entry.bytes, size)


def is_unit_name(name: str) -> bool:
    """Whether a name is one that `WorkUnit.name` gives."""
    return re.fullmatch(r"[0-9]{8,}-[0-9a-f]{16}", name, re.ASCII) is not None


def unfinished_units(directory: str, units: Sequence[UnitEntry]) -> set[str]:
    """Names of units that a dump or a training run began and nobody sealed, or that the manifest,
    which lists `units`, does not know."""
    try:
        names = os.listdir(os.path.join(directory, UNITS))
    except OSError:
        return set()
    begun = {name[len(p) :] for name in names for p in (UNSEALED, JOURNAL) if name.startswith(p)}
    unlisted = set(names) - {unit.path.split("/")[-1] for unit in units}
    return set(filter(is_unit_name, begun | unlisted))
