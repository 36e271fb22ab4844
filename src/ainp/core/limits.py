"""
Every limit there is, with its reason; docs/limits.md is written from this table.

An agent that keeps to the protocol meets none of them. They are here so that whoever does not costs the broker a known
amount of memory, time and rows, and so that a refusal comes before the cost.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, get_type_hints


class Of(StrEnum):
    """What a limit is for."""

    CONNECTION = "Connections"
    REQUEST = "Requests"
    ENVELOPE = "Envelopes and documents of did:web"
    SOCKET = "WebSockets"
    AGENT = "Agents"
    NEGOTIATION = "Negotiations and money"
    RECEIPT = "Receipts"
    PROOF = "Proofs of usefulness"
    MESSAGE = "Messages and mailboxes"


@dataclass(frozen=True, slots=True)
class Limit:
    """What is limited, what happens beyond it, and why it is as it is; *setting* names what changes it."""

    of: Of
    what: str
    beyond: str
    why: str
    setting: str | None = None


MAX_CONNECTIONS: Annotated[
    int,
    Limit(
        Of.CONNECTION,
        "connections of one process, WebSockets among them",
        "503 `TOO_MANY_CONNECTIONS`, closed",
        "a connection costs some ten kilobytes, so these are some hundred megabytes; open files bound it too",
        "MAX_CONNECTIONS",
    ),
] = 8192
MAX_CONNECTIONS_PER_ADDRESS: Annotated[
    int,
    Limit(
        Of.CONNECTION,
        "connections from one address (IPv6: one /64) to one process; not from loopback, nor behind a proxy that"
        " proves itself",
        "503 `TOO_MANY_CONNECTIONS`, closed",
        "an office behind one address has fewer, and thirty addresses are needed to take all there are",
        "MAX_CONNECTIONS_PER_ADDRESS",
    ),
] = 256
HEAD_TIME: Annotated[
    timedelta,
    Limit(Of.CONNECTION, "a request's first byte to the end of its header", "408, closed", "a header is one packet"),
] = timedelta(seconds=10)
BODY_TIME: Annotated[
    timedelta,
    Limit(
        Of.CONNECTION,
        "the end of the header to the end of the body",
        "408, closed",
        "the largest body at 35 kB a second, slower than any network still in use",
    ),
] = timedelta(seconds=30)
IDLE_TIME: Annotated[
    timedelta,
    Limit(
        Of.CONNECTION,
        "a connection without a request",
        "closed",
        "longer than clients and proxies keep one, so mostly they close first and no request meets a closed door",
    ),
] = timedelta(seconds=60)
UNREAD_TIME: Annotated[
    timedelta,
    Limit(
        Of.CONNECTION,
        "an answer of which the client reads nothing",
        "closed",
        "the answer is held in memory for as long as it is not read",
    ),
] = timedelta(seconds=30)
MAX_PIPELINED: Annotated[
    int,
    Limit(
        Of.CONNECTION,
        "requests that were sent before the answer to the first",
        "those are answered, then closed",
        "clients in use send one after the other; each that waits costs 3 kB",
    ),
] = 16

MAX_REQUEST_LINE_BYTES: Annotated[
    int,
    Limit(
        Of.REQUEST,
        "bytes of a request's target",
        "414 `URI_TOO_LONG`",
        "the longest has a DID in its path, three in its query and a cursor: 3 kB when all of it is encoded",
    ),
] = 8 * 1024
MAX_HEADER_BYTES: Annotated[
    int,
    Limit(
        Of.REQUEST,
        "bytes of a request's line and header",
        "431 `HEADER_TOO_LARGE`",
        "a signed request has 1 kB, and a proxy adds as much",
    ),
] = 16 * 1024
MAX_HEADER_FIELDS: Annotated[
    int,
    Limit(Of.REQUEST, "fields of a request's header", "431 `HEADER_TOO_LARGE`", "a signed request has a dozen"),
] = 100
MAX_BODY_BYTES: Annotated[
    int,
    Limit(Of.REQUEST, "bytes of a body", "413 `PAYLOAD_TOO_LARGE`", "the specification's limit on a payload"),
] = 1024 * 1024
MAX_BODY_BYTES_SENT: Annotated[
    int,
    Limit(
        Of.REQUEST,
        "bytes that a body may take on the wire, with the heads of its chunks, their extensions and trailers",
        "413 `PAYLOAD_TOO_LARGE`, closed",
        "chunks of a few bytes still fit; what is skipped while it is read must have an end too",
    ),
] = 8 * MAX_BODY_BYTES
MAX_DEPTH: Annotated[
    int,
    Limit(Of.REQUEST, "levels of a body", "400", "deeper than any message, far from any recursion limit"),
] = 64
MAX_PAGE: Annotated[int, Limit(Of.REQUEST, "rows of one answer", "400", "what is left has a cursor")] = 200
MAX_PAGE_BYTES: Annotated[
    int,
    Limit(
        Of.REQUEST, "bytes of proposals in a list of negotiations", "a shorter page", "200 could have 64 MiB of them"
    ),
] = 1024 * 1024
MAX_OFFSET: Annotated[
    int,
    Limit(Of.REQUEST, "rows to skip", "400", "each is read; further back an agent reads all its entries, not pages"),
] = 10_000
MAX_TEXT_LENGTH: Annotated[int, Limit(Of.REQUEST, "characters of a free text", "400", "a reason is a paragraph")] = 2000
MAX_URI_LENGTH: Annotated[
    int, Limit(Of.REQUEST, "characters of a reference", "400", "the longest URI that software commonly takes")
] = 2048
MAX_SIGNATURE_LENGTH: Annotated[
    int, Limit(Of.REQUEST, "characters of a signature", "400", "Ed25519 has 88 in base64; another kind may have more")
] = 256

MAX_ENVELOPE_VALUES: Annotated[
    int,
    Limit(
        Of.ENVELOPE,
        "values of an envelope, and of any body in CBOR",
        "400 `INVALID_ENVELOPE`, or `INVALID_CBOR`",
        "a dozen embeddings as numbers; a megabyte of nothing but zeros would cost a second of CPU",
    ),
] = 20_000
MAX_NUMBER_DIGITS: Annotated[
    int, Limit(Of.ENVELOPE, "digits of a whole number", "400 `INVALID_ENVELOPE`", "more are no double")
] = 300
MAX_ENVELOPE_TEXT_LENGTH: Annotated[
    int,
    Limit(
        Of.ENVELOPE,
        "characters of an id, a kind of message, a signature",
        "400 `INVALID_ENVELOPE`",
        "a UUID has 36, a signature 88",
    ),
] = 200
MAX_ENVELOPE_TTL: Annotated[
    timedelta, Limit(Of.ENVELOPE, "an envelope's time to live", "400 `INVALID_ENVELOPE`", "nothing waits for longer")
] = timedelta(days=30)
MAX_ENVELOPE_REMEMBERED: Annotated[
    timedelta,
    Limit(
        Of.ENVELOPE,
        "the time to live after which an id may be used again, whatever its envelope says",
        "taken again",
        "what is older than a minute is refused for that; a row is kept for each id",
    ),
] = timedelta(days=1)
MAX_DOCUMENT_BYTES: Annotated[
    int, Limit(Of.ENVELOPE, "bytes of a document", "401 `SIGNATURE_VERIFICATION_ERROR`", "one has a kilobyte")
] = 1024 * 1024
MAX_DOCUMENT_TIME: Annotated[
    timedelta,
    Limit(
        Of.ENVELOPE,
        "looking up the name, connecting and reading a document, together",
        "401 `SIGNATURE_VERIFICATION_ERROR`",
        "somebody waits for the answer",
    ),
] = timedelta(seconds=5)
MAX_DOCUMENTS_AT_ONCE: Annotated[
    int,
    Limit(Of.ENVELOPE, "documents that one process fetches at once", "the next waits", "few agents are new"),
] = 8
MAX_DOCUMENTS_WAITING: Annotated[
    int, Limit(Of.ENVELOPE, "documents that wait for it", "503 `UNAVAILABLE`", "the last waits for half a minute")
] = 64
MAX_DOCUMENTS: Annotated[
    int, Limit(Of.ENVELOPE, "documents that one process remembers", "the oldest is forgotten", "these are a few MB")
] = 10_000
MAX_DOCUMENT_KEYS: Annotated[
    int,
    Limit(
        Of.ENVELOPE,
        "keys of a document, for one purpose",
        "401 `SIGNATURE_VERIFICATION_ERROR`",
        "each may be tried; an operator with more agents has more DIDs",
    ),
] = 20

MAX_SOCKETS: Annotated[
    int,
    Limit(
        Of.SOCKET,
        "sockets of one DID in one process",
        "close 1008",
        "programs that share a DID are few, a client that leaks sockets is not",
    ),
] = 20
MAX_FRAME_BYTES: Annotated[int, Limit(Of.SOCKET, "bytes of a message from an agent", "close 1009", "as a body")] = (
    MAX_BODY_BYTES
)
MAX_FRAGMENTS: Annotated[
    int, Limit(Of.SOCKET, "frames of one message", "close 1009", "its bytes are limited apart, an empty frame has none")
] = 1000
MAX_FRAMES_PER_SECOND: Annotated[
    int,
    Limit(
        Of.SOCKET,
        "frames a second from an agent, pings among them; five times as many at once",
        "close 1008",
        "a socket tells events; an agent sends nothing on it but answers to pings",
    ),
] = 50
MAX_SOCKET_BYTES_PER_SECOND: Annotated[
    int,
    Limit(
        Of.SOCKET,
        "bytes a second from an agent; sixteen times as many at once",
        "close 1008",
        "four of the largest messages at once, or one every four seconds",
    ),
] = 256 * 1024
MAX_UNREAD_BYTES: Annotated[
    int,
    Limit(Of.SOCKET, "bytes of answers to pings that an agent leaves unread", "cut off", "some of the largest frames"),
] = 1024 * 1024
PROOF_TIME: Annotated[
    timedelta,
    Limit(Of.SOCKET, "the proof of who it is, in strict mode", "close 4401", "signing takes no time"),
] = timedelta(seconds=10)
SEND_TIME: Annotated[
    timedelta,
    Limit(Of.SOCKET, "an event that waits for an agent to read", "close 1013", "it resumes where it was: `since`"),
] = timedelta(seconds=10)
PING_TIME: Annotated[
    timedelta, Limit(Of.SOCKET, "an answer to a ping; one is sent every 30 s", "cut off", "two pings missed")
] = timedelta(seconds=60)

MAX_DID_LENGTH: Annotated[
    int,
    Limit(
        Of.AGENT,
        "characters of a DID",
        "400 `INVALID_DID`",
        "longer than any did:web in use; keeps an index entry on one page",
    ),
] = 512
MAX_REGISTRATION_TIME: Annotated[
    timedelta, Limit(Of.AGENT, "a registration's lifetime", "cut to it", "who is away for a month is gone")
] = timedelta(days=30)
MAX_CAPABILITIES: Annotated[
    int, Limit(Of.AGENT, "capabilities of an agent", "400", "who can do more describes itself too finely to be found")
] = 100
MAX_TAGS: Annotated[int, Limit(Of.AGENT, "tags of a capability", "400", "more describe nothing any more")] = 50
MAX_TAG_LENGTH: Annotated[int, Limit(Of.AGENT, "characters of a tag", "400", "a tag is a word or two")] = 100
MAX_DESCRIPTION_LENGTH: Annotated[
    int, Limit(Of.AGENT, "characters of a description", "400", "longer than any sentence that embeds well")
] = 2000
MAX_DESCRIPTION_BYTES: Annotated[
    int, Limit(Of.AGENT, "the same in bytes of UTF-8", "400", "it fits an index entry")
] = 2600
MAX_VERSION_LENGTH: Annotated[
    int, Limit(Of.AGENT, "characters of a version", "400", "three numbers of nine digits, which fit 32 bits")
] = 29
MAX_CAPABILITY_EVIDENCE_LENGTH: Annotated[
    int,
    Limit(Of.AGENT, "characters of a capability's evidence", "400", "a credential that is carried, not referred to"),
] = 8192

MAX_DIMENSION: Annotated[
    int, Limit(Of.AGENT, "numbers of an embedding", "400", "what an index of half precision holds")
] = 4000
MAX_EMBEDDING_LENGTH: Annotated[
    int, Limit(Of.AGENT, "characters of an embedding in base64", "400", "as many numbers as it may have")
] = 4 * -(-4 * MAX_DIMENSION // 3)
MAX_FOUND: Annotated[int, Limit(Of.AGENT, "agents that a search finds", "400", "who needs more asks better")] = 100

MAX_OPEN_PER_PAIR: Annotated[
    int,
    Limit(
        Of.NEGOTIATION,
        "open negotiations that one agent has begun with another",
        "409 `TOO_MANY_OPEN`",
        "each is a row, an event and a question to somebody who did not ask for it",
        "MAX_OPEN_NEGOTIATIONS_PER_PAIR",
    ),
] = 100
MAX_ROUNDS: Annotated[
    int,
    Limit(
        Of.NEGOTIATION,
        "proposals of a negotiation",
        "400; 409 `MAX_ROUNDS_EXCEEDED`",
        "the known implementation's; the specification's own, 10, is the default",
    ),
] = 20
MAX_NEGOTIATION_TIME: Annotated[
    timedelta,
    Limit(Of.NEGOTIATION, "an offer's lifetime", "400", "what nobody answers for a week is not an offer any more"),
] = timedelta(days=7)
MAX_DELIVERY_TIME: Annotated[
    timedelta, Limit(Of.NEGOTIATION, "the time to deliver", "400", "nothing is held in reserve for longer")
] = timedelta(days=30)
MAX_PROPOSAL_BYTES: Annotated[
    int,
    Limit(
        Of.NEGOTIATION,
        "bytes of a proposal, or of a delivery, as canonical JSON",
        "400",
        "terms refer to documents, they don't carry them; 20 rounds stay one small row",
    ),
] = 16 * 1024
MAX_INTENT_ID_LENGTH: Annotated[
    int, Limit(Of.NEGOTIATION, "characters of an intent's id", "400", "UUIDs and names; it is indexed")
] = 200
MAX_PRICE_CREDITS: Annotated[
    int,
    Limit(
        Of.NEGOTIATION,
        "credits of a price",
        "400",
        "in atomic units it still fits a 64-bit column and a double's exact integers",
    ),
] = 10**12
MAX_DEPOSIT: Annotated[
    int, Limit(Of.NEGOTIATION, "atomic units of a deposit", "400", "the largest price there can be")
] = 1000 * MAX_PRICE_CREDITS
MAX_STAKE: Annotated[
    int, Limit(Of.NEGOTIATION, "atomic units to stake, withdraw or slash at once", "400", "as a deposit")
] = MAX_DEPOSIT

MAX_TYPE_LENGTH: Annotated[
    int, Limit(Of.RECEIPT, "characters of an attestation's type", "400", "a name in capitals")
] = 64
MAX_ATTESTATIONS_PER_AGENT: Annotated[
    int,
    Limit(
        Of.RECEIPT,
        "remarks of one agent on one receipt, beside its verdict",
        "409 `ATTESTATION_LIMIT`",
        "one of each kind that has a meaning, and room for more",
    ),
] = 8
MAX_ATTESTATIONS_PER_RECEIPT: Annotated[
    int,
    Limit(
        Of.RECEIPT,
        "remarks on one receipt",
        "409 `ATTESTATION_LIMIT`",
        "verdicts of the committee and the client always find room",
    ),
] = 100


def table(module: str = __name__) -> Mapping[str, Limit]:
    """Every limit of a module by its name."""
    hints = get_type_hints(sys.modules[module], include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}


MAX_METRICS: Annotated[int, Limit(Of.PROOF, "metrics", "400", "a kind of work has one")] = 20
MAX_PROOF_ATTESTATIONS: Annotated[int, Limit(Of.PROOF, "attestations named", "400", "they are named, not counted")] = 20
MAX_TRACE_LENGTH: Annotated[int, Limit(Of.PROOF, "characters of a trace", "400", "it is part of an index entry")] = 200
