"""One request as a handler sees it, and the reply it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from starlette.datastructures import QueryParams
from starlette.types import Scope

from ainp.broker import Broker
from ainp.core.did import AgentDid, parse_did
from ainp.core.envelope import Envelope
from ainp.core.errors import Forbidden, InvalidDid, InvalidRequest, NotFound
from ainp.core.ids import parse_id
from ainp.core.limits import MAX_PAGE
from ainp.http.fields import Fields
from ainp.http.refusals import address_of
from ainp.http.strict import Proof
from ainp.store.db import Session
from ainp.telemetry import Line

_T = TypeVar("_T", bound=Struct)

DEFAULT_PAGE = 50
WRITES = ("POST", "PUT")


class Reply(NamedTuple):
    """A handler's answer; *lines* are logged and counted once what they say is stored."""

    body: Struct | list[Struct] | bytes
    status: int = 200
    lines: tuple[Line, ...] = ()
    media_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Call:
    """A request: decoded path parameters and body, and who acts."""

    broker: Broker
    db: Session
    method: str
    path: str
    params: Mapping[str, str]
    query: QueryParams
    headers: Fields
    scope: Scope
    content: Struct | None = None
    proof: Proof | None = None
    actor: AgentDid | None = None
    alive: bool = False  # whether the actor is there, if this is not refused: nobody else can have sent it
    reader: AgentDid | None = None  # None: may read everything
    envelope: Envelope | None = None
    cbor: bool = False  # as the body was sent
    raw: bytes = b""  # that body, for a hook

    @property
    def by(self) -> AgentDid:
        """Who acts; only routes that name an actor ask."""
        assert self.actor is not None
        return self.actor

    @property
    def address(self) -> str | None:
        """The other end of the connection."""
        return address_of(self.scope)

    @property
    def signed(self) -> Envelope:
        """The envelope that was received; only routes that take one ask."""
        assert self.envelope is not None
        return self.envelope

    def check_owner(self, *owners: AgentDid | None) -> None:
        """Refuse a reader who is none of *owners*, of what is theirs alone."""
        if self.reader is not None and self.reader not in owners:
            raise Forbidden(f"this is not {self.reader}'s to read")

    def body(self, kind: type[_T]) -> _T:
        """The decoded body, of the kind that the route names."""
        assert isinstance(self.content, kind)
        return self.content

    def id(self, name: str, *, what: str) -> UUID:
        """The id of a *what* in the path: a malformed one names nothing to read, and can't be written to."""
        try:
            return parse_id(self.params[name], what=what)
        except NotFound as error:
            if self.method in WRITES:
                raise InvalidRequest(error.message, field=name) from error
            raise

    def did(self) -> AgentDid:
        """The DID in the path; what is no DID names nobody."""
        try:
            return parse_did(self.params["did"])
        except InvalidDid as error:
            raise NotFound(f"Agent not found: {error.message}") from error

    def did_in_query(self, name: str) -> AgentDid | None:
        """A DID among the query parameters, if it is there."""
        value = self.query.get(name)
        return None if value is None else parse_did(value)

    def text_in_query(self, name: str) -> str | None:
        """Any text among the query parameters that can be stored, or looked for."""
        value = self.query.get(name)
        if value is not None and "\0" in value:
            raise InvalidRequest(f"{name}: found the character NUL, which can't be stored", field=name)
        return value

    def number_in_query(self, name: str, *, default: int, most: int, least: int = 1) -> int:
        """A whole number among the query parameters."""
        value = self.query.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 18 and least <= int(value) <= most):  # noqa: PLR2004 - digits of a bigint
            raise InvalidRequest(f"{name}: found {value[:40]!r}, expected a whole number from {least} to {most}")
        return int(value)

    def flag(self, name: str) -> bool:
        """Whether a query parameter is set to `true`."""
        value = self.query.get(name, "false")
        if value not in ("true", "false"):
            raise InvalidRequest(f"{name}: found {value[:40]!r}, expected true or false")
        return value == "true"

    def limit(self) -> int:
        """How many rows a page has."""
        return self.number_in_query("limit", default=DEFAULT_PAGE, most=MAX_PAGE)


def encode(reply: Reply) -> bytes:
    """The reply's bytes; raw ones as they are."""
    return reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
