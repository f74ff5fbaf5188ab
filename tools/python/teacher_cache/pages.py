"""Whether a data.mdb is built as LMDB 0.9 builds it, found out before LMDB maps it.

LMDB believes what it reads: a page number, an offset or a size that leads elsewhere ends the process by a
signal. So everything that it would follow is followed here first, in bounds: both meta pages, then each
page of the main tree and of the tables named in it, once. Of values that fill pages of their own only the
16 bytes before them are read. Who writes follows the tree of free pages too.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field

from .errors import Corrupt, WrongVersion

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW, _META = 0x01, 0x02, 0x04, 0x08
_INTEGER_KEYS = 0x08
_NO_ROOT = (1 << 64) - 1
_HEADER = 16  # bytes of a page
_META_BYTES = 152
_DEPTH_LIMIT = 32  # LMDB's cursors hold no more levels


def check_pages(path: str, for_writing: bool = False) -> None:
    """Raises Corrupt, which names the page and what is wrong with it, or WrongVersion; OSError where the
    file cannot be read.

    - path: of data.mdb.
    - for_writing: whether the free pages are looked at too.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _PageCheck(path, descriptor).run(for_writing)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class _Tree:
    """The 48 bytes that describe a table, on the page where they stand."""

    flags: int
    depth: int
    entries: int
    root: int
    page: int

    @staticmethod
    def at(data: bytes, offset: int, page: int) -> _Tree:
        flags, depth = struct.unpack_from("<HH", data, offset + 4)
        entries, root = struct.unpack_from("<QQ", data, offset + 32)
        return _Tree(flags, depth, entries, root, page)


@dataclass
class _Walk:
    """What a tree is expected to hold, and what its leaves named."""

    tree: _Tree
    holds_tables: bool = False
    holds_free_pages: bool = False
    entries: int = 0
    tables: list[_Tree] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    last_key: int = 0


class _PageCheck:
    def __init__(self, path: str, descriptor: int):
        self._path, self._descriptor = path, descriptor
        self._page_bytes = self._pages = self._newest = 0
        # Pages that something led to, and those that follow the first of a value.
        self._entered: set[int] = set()
        self._runs: list[tuple[int, int]] = []

    def run(self, for_writing: bool) -> None:
        first = self._meta(0, 0)
        self._page_bytes = size = struct.unpack_from("<I", first, 40)[0]
        if size not in (512 << n for n in range(7)):
            raise self._fault(0, f"pages of {size} bytes; expected a power of two, 512…32768")
        second = self._meta(1, size)
        if second[40:44] != first[40:44]:
            raise self._fault(1, f"its pages are not of {size} bytes as in page 0")
        filled = os.fstat(self._descriptor).st_size // size
        for number, meta in enumerate((first, second)):
            last = struct.unpack_from("<Q", meta, 136)[0]
            if last >= filled:
                raise self._fault(number, f"page {last} is the last one, but the file has {filled}")
        # LMDB prefers the first of two that are equally new.
        newest = max(first, second, key=lambda meta: struct.unpack_from("<Q", meta, 144)[0])
        last, self._newest = struct.unpack_from("<QQ", newest, 136)
        self._pages = last + 1
        free, main = (_Tree.at(newest, offset, 0) for offset in (40, 88))
        for table in self._walk(_Walk(main, holds_tables=True)).tables:
            self._walk(_Walk(table))
        if for_writing:
            for page in self._walk(_Walk(free, holds_free_pages=True)).free:
                self._enter(page, 0)
        self._require_apart()

    def _meta(self, number: int, offset: int) -> bytes:
        data = self._read(_META_BYTES, offset, number)
        magic, version = struct.unpack_from("<II", data, 16)
        if not struct.unpack_from("<H", data, 10)[0] & _META or magic != _MAGIC:
            raise self._fault(number, "no meta page of LMDB")
        if version != _VERSION:
            raise WrongVersion.of(self._path, f"LMDB data {version}", f"LMDB data {_VERSION}")
        # Integer keys, which the tree of free pages has, and nothing else: no fixed address.
        flags = struct.unpack_from("<H", data, 44)[0]
        if flags != _INTEGER_KEYS:
            raise self._fault(number, f"flags {flags}; expected {_INTEGER_KEYS}")
        return data

    def _walk(self, walk: _Walk) -> _Walk:
        tree = walk.tree
        expected = _INTEGER_KEYS if walk.holds_free_pages else 0
        if tree.flags != expected:
            raise self._fault(tree.page, f"a table with flags {tree.flags}; expected {expected}")
        if tree.root == _NO_ROOT:
            if tree.depth or tree.entries:
                raise self._fault(tree.page, f"a table of {tree.entries} entries without a root")
            return walk
        if not 1 <= tree.depth <= _DEPTH_LIMIT:
            raise self._fault(tree.page, f"a tree of depth {tree.depth}; expected 1…{_DEPTH_LIMIT}")
        self._visit(tree.root, 1, tree.page, walk)
        if walk.entries != tree.entries:
            raise self._fault(
                tree.page, f"a table of {walk.entries} entries says {tree.entries}"
            )
        return walk

    def _visit(self, number: int, level: int, parent: int, walk: _Walk) -> None:
        page = self._enter(number, parent)
        data = self._read(self._page_bytes, page * self._page_bytes, page)
        is_leaf = level == walk.tree.depth
        said, flags, lower, upper = struct.unpack_from("<Q2xHHH", data)
        if said != number or flags != (_LEAF if is_leaf else _BRANCH):
            kind = "leaf" if is_leaf else "branch"
            raise self._fault(page, f"it is not the {kind} that page {parent} names")
        count = (lower - _HEADER) // 2
        # A branch of one child ends LMDB by an assertion.
        if lower % 2 or not lower <= upper <= len(data) or count < (1 if is_leaf else 2):
            raise self._fault(page, f"{count} entries between the bytes {lower} and {upper}")
        for index, node in enumerate(struct.unpack_from(f"<{count}H", data, _HEADER)):
            if node % 2 or node < upper or node + 8 > len(data):
                raise self._fault(page, f"entry {index} lies outside the page")
            low, high, key = struct.unpack_from("<IHH", data, node)
            if node + 8 + key > len(data):
                raise self._fault(page, f"entry {index} lies outside the page")
            if is_leaf:
                self._leaf_entry(data, page, low, high, node + 8, key, walk)
            else:
                # Branches keep the upper bits of the child's number where leaves keep their flags.
                self._visit(low | high << 32, level + 1, page, walk)

    def _leaf_entry(
        self, data: bytes, page: int, size: int, flags: int, key: int, key_bytes: int, walk: _Walk
    ) -> None:
        """An entry of `size` bytes behind the key at `key`."""
        walk.entries += 1
        if walk.holds_free_pages:
            # The transaction that freed them.
            freed = struct.unpack_from("<Q", data, key)[0] if key_bytes == 8 else 0
            if not walk.last_key < freed <= self._newest:
                raise self._fault(
                    page, f"a key of free pages is no transaction after {walk.last_key}"
                )
            walk.last_key = freed
        value = key + key_bytes
        if flags == 0 and value + size <= len(data):
            if walk.holds_free_pages:
                self._free_pages(data[value : value + size], page, walk)
        elif flags == 1 and value + 8 <= len(data):
            first = self._overflow(struct.unpack_from("<Q", data, value)[0], size, page)
            if walk.holds_free_pages:
                start = first * self._page_bytes + _HEADER
                self._free_pages(self._read(size, start, first), first, walk)
        elif flags == 2 and walk.holds_tables and size == 48 and value + size <= len(data):
            walk.tables.append(_Tree.at(data, value, page))
        else:
            raise self._fault(page, f"an entry with flags {flags} and {size} bytes")

    def _free_pages(self, value: bytes, page: int, walk: _Walk) -> None:
        """A list: how many pages, then their numbers, falling."""
        count = struct.unpack_from("<Q", value)[0] if len(value) >= 8 else 0
        if len(value) < 8 or count >= len(value) // 8:
            raise self._fault(
                page, f"a list of free pages that is longer than its {len(value)} bytes"
            )
        numbers = struct.unpack_from(f"<{count}Q", value, 8)
        if any(number <= after for number, after in zip(numbers, numbers[1:])):
            raise self._fault(page, "a list of free pages that is not in order")
        walk.free += numbers

    def _overflow(self, number: int, size: int, parent: int) -> int:
        """A value in whole pages of its own, of which only the first has a header; gives that one."""
        first = self._enter(number, parent)
        header = self._read(_HEADER, first * self._page_bytes, first)
        said, flags, count = struct.unpack("<Q2xHI", header)
        fits = 1 <= count <= self._pages - first and size + _HEADER <= count * self._page_bytes
        if said != number or flags != _OVERFLOW or not fits:
            raise self._fault(
                first, f"a value of {size} bytes does not lie in the {count} pages from here"
            )
        self._runs.append((first + 1, first + count))
        return first

    def _require_apart(self) -> None:
        """No page belongs to two values, or to a value and a tree."""
        end = 0
        for first, after in sorted([(page, page + 1) for page in self._entered] + self._runs):
            if first == after:
                continue
            if first < end:
                raise self._fault(first, "it is led to twice")
            end = after

    def _enter(self, number: int, parent: int) -> int:
        """Takes a page, which nothing else may lead to, so that no walk goes in circles."""
        if not 2 <= number < self._pages:
            raise self._fault(parent, f"it leads to page {number} of {self._pages}")
        if number in self._entered:
            raise self._fault(parent, f"page {number} is led to twice")
        self._entered.add(number)
        return number

    def _read(self, count: int, offset: int, page: int) -> bytes:
        data = os.pread(self._descriptor, count, offset)
        if len(data) != count:
            raise self._fault(page, "the file ends before it does")
        return data

    def _fault(self, page: int, reason: str) -> Corrupt:
        return Corrupt.of(self._path, f"page {page}: {reason}")
