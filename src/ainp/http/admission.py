"""
Who may connect: how many at once, how many from one address; and a look at each connection every second.

Times are kept by a mark on the connection and this one look, not by a timer for each request.
"""

import ipaddress
from collections import Counter
from typing import Protocol, cast

from uvicorn.server import ServerState

from ainp.core.errors import TooManyConnections
from ainp.core.limits import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS

Client = tuple[str, int] | None
_NEIGHBOURS = 64  # bits of an IPv6 address that name a network; whoever has one has all the rest


class Watched(Protocol):
    """A connection that is looked at."""

    def look(self, now: float) -> None:
        """End it if it has had its time."""
        ...


class Admission(ServerState):
    """The connections of one process; *per_address* is None where all come through one proxy."""

    def __init__(self, most: int = MAX_CONNECTIONS, *, per_address: int | None = MAX_CONNECTIONS_PER_ADDRESS) -> None:
        super().__init__()
        self._most = most
        self._per_address = per_address
        self._held: Counter[str] = Counter()

    def admit(self, client: Client) -> None:
        """Take one more, or refuse it; who is taken leaves when the connection is lost."""
        if len(self.connections) >= self._most:
            raise TooManyConnections(f"this process has {self._most} connections, the most; try again")
        source = None if self._per_address is None else source_of(client)
        if source is None:
            return
        if self._per_address is not None and self._held[source] >= self._per_address:
            raise TooManyConnections(f"your address has {self._per_address} connections, the most; close one")
        self._held[source] += 1

    def leave(self, client: Client) -> None:
        """Forget one that was taken."""
        source = None if self._per_address is None else source_of(client)
        if source is None:
            return
        self._held[source] -= 1
        if self._held[source] <= 0:
            del self._held[source]

    def look(self, now: float) -> None:
        """Look at every connection."""
        for connection in tuple(self.connections):
            cast("Watched", connection).look(now)


def source_of(client: Client) -> str | None:
    """Name who is behind an address: itself, or its IPv6 network; nobody for this machine."""
    if client is None:
        return None
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return None if address.is_loopback else str(ipaddress.ip_network((address, _NEIGHBOURS), strict=False))
        address = address.ipv4_mapped
    return None if address.is_loopback else str(address)


class Stall:
    """Whether what was written is read: a mark that moves as long as the unread bytes become fewer."""

    __slots__ = ("_at", "_size")
    _STEP = 64 * 1024  # what has to be read in that time, unless it is the rest

    def __init__(self) -> None:
        self._size = 0
        self._at = 0.0

    def lasts(self, unread: int, now: float) -> float:
        """How long nothing has been read, in seconds."""
        if unread == 0:
            self._size = 0
        elif self._size == 0 or unread <= self._size - self._STEP:
            self._size, self._at = unread, now
        return now - self._at if self._size else 0.0
