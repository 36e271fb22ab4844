"""The part of the route table that is about messages."""

from dataclasses import replace

from ainp.core import errors as e
from ainp.core.contact import Consent, TooManyContacts
from ainp.core.group import DuplicateVote
from ainp.core.mail_guard import DuplicateEmail, Greylisted
from ainp.core.mailbox import AccessDenied, ThreadNotFound, TooManyLabels
from ainp.core.message import (
    AgentOffline,
    Blocked,
    NoAgentsFound,
    NotQueued,
    QueryRequired,
    QueueFull,
    QueueShareFull,
)
from ainp.core.rate_policy import Group
from ainp.http import intents, mail
from ainp.http.route import ACTS, ENVELOPE, PAGE, Query, Route, post, private
from ainp.wire import mail as wl
from ainp.wire import messages as wm

_OWNER = Query("agent_did", "whose", required=True)
_SENDS = (
    *(*ENVELOPE, e.UnsupportedMsgType, QueryRequired, e.InvalidQuery, NoAgentsFound, Blocked),
    *(e.NotFound, e.InvalidState, e.Expired, e.InvalidProposal, e.SelfNegotiation, e.TooManyOpen, e.NotYourTurn),
    *(e.MaxRoundsExceeded, e.OwnProposal, e.AgentNotFound, e.ProposalChanged, DuplicateVote),
    *(
        DuplicateEmail,
        Greylisted,
        e.InsufficientCredits,
        AgentOffline,
        QueueFull,
        QueueShareFull,
        e.EmbeddingsUnavailable,
    ),
)

_WHOSE = Query("agent_did", "whose; default: the agent that asks")
_MAILS = (e.InvalidRequest, e.InvalidDid, e.FeatureDisabled)
_MARKS = (*ACTS, AccessDenied, e.FeatureDisabled)


def _own(route: Route) -> Route:
    """A write to what is the actor's own, whom the body does not name."""
    return replace(route, actor=lambda _: None)


MESSAGE_ROUTES: tuple[Route, ...] = (
    *(
        replace(
            post(path, intents.send, wm.SentReply, wm.IntentBody, None, *_SENDS),
            envelope=True,
            newcomers=True,
            rate=Group.MESSAGES,
        )
        for path in ("/api/intents/send", "/api/intents/publish", "/api/intents")  # the last two: older names
    ),
    private(
        "/api/intents/queue",
        intents.peek,
        wm.QueueReply,
        *(e.InvalidRequest, e.InvalidDid),
        query=(
            _OWNER,
            Query("sent", "`true`: what it has sent and others have not got yet", values=("true", "false")),
            PAGE[0],
        ),
    ),
    post(
        "/api/intents/cancel",
        intents.cancel,
        wm.CancelledReply,
        wm.CancelIntentBody,
        "from_did",
        *(*ACTS, e.NotFound, NotQueued),
    ),
    private(
        "/api/mail/inbox",
        mail.inbox,
        wl.InboxReply,
        *(mail.InvalidLimit, *_MAILS),
        query=(
            _WHOSE,
            Query("label", "only mail with this label"),
            Query("unread", "`true`: only mail that has not been read", values=("true", "false")),
            PAGE[0],
            Query("cursor", "where the last page ended, or the `created_at` of its last mail"),
        ),
    ),
    private(
        "/api/mail/threads/{conversation_id}",
        mail.thread,
        wl.ThreadReply,
        *(mail.InvalidLimit, ThreadNotFound, AccessDenied, *_MAILS),
        query=(_WHOSE, *PAGE),
    ),
    _own(post("/api/mail/read", mail.read, wl.ReadReply, wl.ReadBody, None, mail.MissingMessageId, *_MARKS)),
    _own(
        post(
            "/api/mail/label",
            mail.label,
            wl.LabelReply,
            wl.LabelBody,
            None,
            *(mail.MissingMessageId, mail.NoLabels, TooManyLabels, *_MARKS),
        )
    ),
    private(
        "/api/contacts",
        mail.list_contacts,
        wl.ContactsReply,
        *(e.InvalidRequest, e.InvalidDid),
        query=(
            _WHOSE,
            Query("consent_state", "only these", values=tuple(Consent)),
            Query("allowlist", "only those on the list, or only those who are not", values=("true", "false")),
            *PAGE,
        ),
    ),
    private("/api/contacts/{did}", mail.get_contact, wl.ContactReply, e.NotFound, e.InvalidDid, query=(_WHOSE,)),
    replace(
        post(
            "/api/contacts/{did}",
            mail.put_contact,
            wl.ContactReply,
            wl.ContactBody,
            "owner_did",
            *(*ACTS, TooManyContacts),
        ),
        method="PUT",
    ),
)
