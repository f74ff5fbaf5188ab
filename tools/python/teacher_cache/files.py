"""Files as a cache needs them: whole or absent, durable."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from typing import Optional

_NETWORK = {
    "nfs", "nfs4", "lustre", "cifs", "smb3", "smbfs", "fuse", "fuseblk", "9p", "ceph", "gpfs",
    "afs", "beegfs", "pvfs2",
}  # fmt: skip


def is_directory(path: str) -> bool:
    """Whether there is a directory at `path` itself, not behind a link."""
    return os.path.isdir(path) and not os.path.islink(path)


def is_absent(path: str) -> bool:
    """Whether there is nothing at `path`; OSError where nobody may look."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    return False


def make_directory(path: str) -> None:
    """Makes a directory and those above it; the names of new ones are durable."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(os.path.abspath(path))
    make_directory(above)
    try:
        os.mkdir(path)
    except FileExistsError:
        if os.path.isdir(path):  # by another process, since we looked
            return
        raise
    sync_names(above)


def remove(path: str) -> None:
    """Removes whatever lies at `path`, if anything; of a link the link itself."""
    if is_directory(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def sync(path: str) -> None:
    """Makes a file's bytes durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_names(directory: str) -> None:
    """Makes the names in a directory durable, as far as its file system can."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return  # where one may write and not look, nobody can sync the names
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # as some network file systems answer
            raise
    finally:
        os.close(descriptor)


def move(source: str, target: str) -> None:
    """Renames and makes the new name durable."""
    os.rename(source, target)
    sync_names(os.path.dirname(os.path.abspath(target)))


def replace_file(path: str, content: bytes) -> None:
    """Replaces `path` as a whole: another file, fsync, rename, fsync of the directory."""
    temporary = path + ".tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o644), "wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.unlink(temporary)
            raise
    move(temporary, path)


def sha256(path: str) -> str:
    """SHA-256 of a file in lower-case hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def network_type(path: str) -> Optional[str]:
    """The type of the network file system that `path` lies on, or None."""
    status = os.stat(path)
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    for fields in lines:
        if len(fields) > 6 and fields[2] == device and "-" in fields:
            kind = fields[fields.index("-") + 1]
            return kind if kind in _NETWORK or kind.startswith("fuse.") else None
    return None
