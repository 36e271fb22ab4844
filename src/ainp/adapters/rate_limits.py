"""
Buckets of this node: a table of fixed size in memory, which the processes of one `ainp serve` share as a mapped file.

A bucket is found by a keyed hash of its name, in a set of a few; where the set is full, the one that is nearest to
being full again makes room, which is the one that restrained its owner least. So memory is bounded, and nobody who is
refused gets away by naming others. Where a set is changed by two processes at once, a lock on its bytes of the file
keeps them apart; the kernel gives it back whoever is killed.
"""

import fcntl
import mmap
import os
import secrets
import struct
from hashlib import blake2b
from pathlib import Path
from time import monotonic_ns

from ainp.core.rate import Limit, Taken, take

BUCKETS = "rate-limits"  # the file's name, in the folder that processes share
_WAYS = 8  # buckets of a set
_SETS = 1 << 14
KEPT = _SETS * _WAYS  # buckets in all, each of one DID or address in one group
_SECRET = 32  # bytes in front of the table: without them nobody can aim at a set
_SET = struct.Struct(f"={2 * _WAYS}Q")  # a hash and an arrival time for each
_BUCKET = struct.Struct("=QQ")
_HASH = struct.Struct("=QQ")
_SIZE = _SECRET + _SETS * _SET.size
_LOCK_TRIES = 200  # then it is done without: a process that is stopped in there must not stop all others


class LocalBuckets:
    """The buckets of a process, or of all that share *file*."""

    degraded = False
    connected: bool | None = None  # there is nothing to connect to

    def __init__(self, file: Path | None = None) -> None:
        if file is None:
            self._descriptor = -1
            self._table: bytearray | mmap.mmap = bytearray(_a_new_table())
        else:
            self._descriptor = os.open(file, os.O_RDWR)
            self._table = mmap.mmap(self._descriptor, _SIZE)
        self._secret = bytes(self._table[:_SECRET])

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    async def take(self, name: str, limit: Limit, *, cost: int = 1) -> Taken:
        """Take one from the bucket *name*, or another *cost*."""
        return self.take_now(name, limit, now_us=monotonic_ns() // 1000, cost=cost)

    async def keep_connected(self) -> None:
        """There is nothing to connect to."""

    def take_now(self, name: str, limit: Limit, *, now_us: int, cost: int = 1) -> Taken:
        """The same at a given time; it is one clock for all processes of a node."""
        tag, place = _HASH.unpack(blake2b(name.encode(), key=self._secret, digest_size=_HASH.size).digest())
        at = _SECRET + place % _SETS * _SET.size
        if self._descriptor < 0:
            return self._take(at, tag, limit, now_us, cost)
        locked = self._lock(at)
        try:
            return self._take(at, tag, limit, now_us, cost)
        finally:
            if locked:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, _SET.size, at)

    def _take(self, at: int, tag: int, limit: Limit, now_us: int, cost: int) -> Taken:
        found = _SET.unpack_from(self._table, at)
        tags, arrivals = found[::2], found[1::2]
        if tag in tags:
            way = tags.index(tag)
            taken, arrival_us = take(limit, arrival_us=arrivals[way], now_us=now_us, cost=cost)
        else:
            way = arrivals.index(min(arrivals))
            taken, arrival_us = take(limit, arrival_us=0, now_us=now_us, cost=cost)
        _BUCKET.pack_into(self._table, at + way * _BUCKET.size, tag, arrival_us)
        return taken

    def _lock(self, at: int) -> bool:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SET.size, at)
            except OSError:
                os.sched_yield()
            else:
                return True
        return False


def make_table(file: Path) -> None:
    """Make the file that processes share, without holes: on a full disk a write to one would end the process."""
    file.touch(0o600)
    file.write_bytes(_a_new_table())


def _a_new_table() -> bytes:
    return secrets.token_bytes(_SECRET) + bytes(_SIZE - _SECRET)
