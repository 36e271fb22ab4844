"""Limits of messages and mailboxes; as the others, part of docs/limits.md."""

from datetime import timedelta
from typing import Annotated

from ainp.core.limits import Limit, Of

MAX_RECIPIENTS: Annotated[
    int, Limit(Of.MESSAGE, "agents that a query reaches", "the best are taken", "the specification's three")
] = 3
MAX_RESULT_BYTES: Annotated[
    int,
    Limit(
        Of.MESSAGE,
        "bytes of `results` in a DISCOVER_RESULT",
        "`matches` alone; the answer has both",
        "twenty agents that describe themselves at length; what is told is kept for days",
    ),
] = 64 * 1024
MAX_PARTICIPANTS: Annotated[
    int,
    Limit(
        Of.NEGOTIATION,
        "agents that negotiate as a group, from three on",
        "400",
        "the specification's ten; more than that agree in groups of their own first",
    ),
] = 10
MAX_OPEN_GROUPS: Annotated[
    int,
    Limit(Of.NEGOTIATION, "open groups of one agent that has opened them", "409 `TOO_MANY_OPEN`", "as of a pair"),
] = 100
MAX_MEMORIES: Annotated[
    int,
    Limit(Of.MESSAGE, "memories of one agent's mail", "the oldest are forgotten", "a search looks at all of them"),
] = 1000
MAX_QUEUED: Annotated[
    int,
    Limit(
        Of.MESSAGE,
        "messages that wait for one agent",
        "503 `QUEUE_FULL`; mail is kept all the same",
        "who is away for long reads the mailbox; the rest has expired by then",
    ),
] = 1000
MAX_QUEUED_OF_ONE: Annotated[
    int,
    Limit(
        Of.MESSAGE,
        "messages of one sender among them",
        "503 `QUEUE_SHARE_FULL`; mail is kept all the same",
        "so that nobody alone keeps others from reaching an agent",
    ),
] = 100
MAX_RELEASED_PER_SECOND: Annotated[
    int,
    Limit(
        Of.MESSAGE,
        "messages a second that an agent gets of those that have waited",
        "the next second",
        "the specification's; what is sent meanwhile does not wait for it",
    ),
] = 10
MAX_RELEASES: Annotated[
    int,
    Limit(
        Of.MESSAGE,
        "times that a waiting message is handed over, when no socket took it",
        "left to expire",
        "the specification's three, and the first",
    ),
] = 4
MAX_SUBJECT_LENGTH: Annotated[
    int, Limit(Of.MESSAGE, "characters of a subject", "400 `INVALID_ENVELOPE`", "as a line of an e-mail's header")
] = 998
MAX_CONVERSATION_LENGTH: Annotated[
    int, Limit(Of.MESSAGE, "characters of a conversation's id", "400 `INVALID_ENVELOPE`", "it is indexed")
] = 200
MAX_LABELS: Annotated[int, Limit(Of.MESSAGE, "labels of a mail", "400", "each is a row")] = 50
MAX_LABEL_LENGTH: Annotated[int, Limit(Of.MESSAGE, "characters of a label", "400", "a word or two; indexed")] = 100
MAX_ATTACHMENTS: Annotated[
    int, Limit(Of.MESSAGE, "attachments of a mail", "400 `INVALID_ENVELOPE`", "they are references; none is carried")
] = 50
MAX_ATTACHMENT_BYTES: Annotated[
    int,
    Limit(
        Of.MESSAGE,
        "bytes of an attachment's description, as JSON",
        "400 `INVALID_ENVELOPE`",
        "a name, a kind, a size, a hash and an address; what is attached is fetched there",
    ),
] = 4096
MAX_RECALLED_LENGTH: Annotated[
    int, Limit(Of.MESSAGE, "characters of what is looked for among memories", "400", "a page; it is embedded")
] = 2000
MAX_NOTES_LENGTH: Annotated[int, Limit(Of.MESSAGE, "characters of a note on a contact", "400", "a page")] = 2000
MAX_CONTACTS: Annotated[
    int,
    Limit(
        Of.MESSAGE,
        "contacts that an agent writes down itself",
        "409 `TOO_MANY_CONTACTS`",
        "those it has written with are not counted",
    ),
] = 10_000
GREYLIST_TIME: Annotated[
    timedelta,
    Limit(Of.MESSAGE, "a stranger's first try", "it is the first again", "the specification's month and some days"),
] = timedelta(days=35)
