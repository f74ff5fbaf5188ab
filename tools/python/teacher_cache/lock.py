"""The right to write a cache: `flock` on `writer.lock`, which names its holder.

The kernel frees it when the process ends, however it ends; the file stays.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from typing import Optional

from .errors import Locked


class WriterLock:
    """Held from creation until `release`."""

    def __init__(self, directory: str):
        """Takes the lock of `directory` or fails within a tenth of a second, naming the holder."""
        path = os.path.join(directory, "writer.lock")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o644)
        self._descriptor: Optional[int] = descriptor
        self._process = os.getpid()
        try:
            _lock(descriptor)
        except BlockingIOError:
            lines = os.pread(descriptor, 1024, 0).decode(errors="replace").splitlines()
            self.release()
            raise Locked.of(directory, lines[0] if lines else "another process") from None
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        line = f"host {socket.gethostname()}, pid {os.getpid()}, since {since}\n"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, line.encode(), 0)

    def release(self) -> None:
        """Gives the lock up."""
        if self._descriptor is not None:
            # Processes forked meanwhile have the descriptor too, and the lock would live with them.
            if self._process == os.getpid():
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
        self._descriptor = None


def _lock(descriptor: int) -> None:
    """Takes the lock; who only looks whether it is taken has it for a moment."""
    for _ in range(9):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
