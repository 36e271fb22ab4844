"""A route: one method of one path, what it takes, answers and refuses; `routes` has the whole table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from msgspec import Struct

from ainp.core import errors as e
from ainp.core.errors import BrokerError
from ainp.core.rate_policy import Group
from ainp.http.call import WRITES, Call, Reply
from ainp.http.rates import group_of

Handler = Callable[[Call], Awaitable[Reply]]
Refusal = type[BrokerError]
Shape = Any  # a body's type, or a list of one


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter."""

    name: str
    meaning: str
    required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One method of one path; *actor* reads from the body who acts, if the route needs to know.

    In strict mode the actor has signed the request, unless *signed_body* says that the body proves itself; what is
    *private* is shown to its owner. A body that is an *envelope* is signed, in both modes. *newcomers* are agents that
    need not be registered yet. A POST that only *reads* what is for everybody needs nobody who acts, nor does a *hook*,
    which a provider calls that has signed the bytes. One that *searches* reads what is its actor's own, or for an
    administrator. Where somebody outside is asked, *asks* does that without a transaction, and returns what then does
    the rest in one.
    """

    method: str
    path: str
    handler: Handler
    reply: Shape
    body: type[Struct] | None = None
    actor: Callable[[Any], str | None] | None = None
    query: tuple[Query, ...] = ()
    errors: tuple[type[BrokerError], ...] = ()
    status: int = 200
    also: tuple[int, ...] = ()
    admin: bool = False
    guarded: bool = True
    private: bool = False
    signed_body: Callable[[Any], bool] | None = None
    newcomers: bool = False
    reads: bool = False
    searches: bool = False
    envelope: bool = False
    hook: bool = False
    asks: Callable[[Call], Awaitable[Handler]] | None = None
    rate: Group | None = None
    media_type: str = "application/json"

    @property
    def tag(self) -> str:
        """What the route is about, from its path."""
        parts = self.path.strip("/").split("/")
        return (parts[1] if parts[0] == "api" else parts[0]).replace("-", " ")

    @property
    def writes(self) -> bool:
        """Whether it takes a body."""
        return self.method in WRITES

    @property
    def keyed(self) -> bool:
        """
        Whether it takes an Idempotency-Key, under which its answer is kept for a day.

        An envelope and a hook have an id of their own for that. A search changes nothing, and what it has found would
        stay when it is forgotten.
        """
        return self.writes and not (self.envelope or self.hook or self.reads or self.searches)

    @property
    def group(self) -> Group | None:
        """Where its requests are counted: *rate*, if it is given; None is nowhere."""
        return self.rate or group_of(self.tag)


def get(path: str, handler: Handler, reply: Shape, *errors: Refusal, query: tuple[Query, ...] = ()) -> Route:
    return Route(method="GET", path=path, handler=handler, reply=reply, errors=errors, query=query)


def private(path: str, handler: Handler, reply: Shape, *errors: Refusal, query: tuple[Query, ...] = ()) -> Route:
    """A read of what is its owner's alone, in strict mode."""
    route = get(path, handler, reply, *errors, *OWNS, query=query)
    return replace(route, private=True)


def post(
    path: str, handler: Handler, reply: Shape, body: type[Struct] | None, actor: str | None, *errors: Refusal
) -> Route:
    """A write; *actor* names the member of the body that says who acts."""
    acts = None if actor is None else attrgetter(actor)
    return Route(method="POST", path=path, handler=handler, reply=reply, body=body, actor=acts, errors=errors)


def health_check(path: str, handler: Handler, reply: Shape) -> Route:
    """Answered to anyone, also to a probe that comes from elsewhere."""
    return Route(method="GET", path=path, handler=handler, reply=reply, also=(503,), guarded=False)


OWNS = (e.Unauthenticated, e.InvalidSignature, e.Forbidden)
PAGE = (Query("limit", "rows, 1 to 200; default 50"), Query("cursor", "where the last page ended"))
ACTS = (e.InvalidDid, e.Unauthenticated, e.Forbidden)
SIGNS = (*ACTS, e.InvalidSignature)
ENVELOPE = (
    *(*SIGNS, e.NoVerificationKey, e.ReplayDetected),
    *(e.InvalidEnvelope, e.UnsupportedVersion, e.InvalidTimestamp, e.EnvelopeExpired),
)
