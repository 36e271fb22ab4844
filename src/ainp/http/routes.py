"""The whole route table: the only place that names a path; requests are routed and documented from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from msgspec import Struct

from ainp.core import errors as e
from ainp.core.errors import BrokerError
from ainp.core.negotiation import NegotiationState
from ainp.core.rate_policy import Group
from ainp.core.receipt import ReceiptStatus
from ainp.core.trail import Trace
from ainp.http import (
    about,
    agents,
    discovery,
    health,
    metrics,
    money,
    negotiations,
    receipts,
    stakes,
    trail,
    usefulness,
)
from ainp.http.auth import METRICS
from ainp.http.call import Call, Reply
from ainp.http.rates import group_of
from ainp.wire import agents as wa
from ainp.wire import credits as wc
from ainp.wire import discovery as wd
from ainp.wire import envelopes as we
from ainp.wire import negotiations as wn
from ainp.wire import receipts as wr
from ainp.wire import stakes as ws
from ainp.wire import usefulness as wu
from ainp.wire.about import BrokerReply
from ainp.wire.health import HealthReply, ReadyReply
from ainp.wire.reputation import HistoryReply, ReputationReply
from ainp.wire.trail import TrailReply

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
    need not be registered yet. A POST that only *reads* what is for everybody needs nobody who acts.
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
    envelope: bool = False
    rate: Group | None = None
    media_type: str = "application/json"

    @property
    def tag(self) -> str:
        """What the route is about, from its path."""
        parts = self.path.strip("/").split("/")
        return (parts[1] if parts[0] == "api" else parts[0]).replace("-", " ")

    @property
    def group(self) -> Group | None:
        """Where its requests are counted: *rate*, if it is given; None is nowhere."""
        return self.rate or group_of(self.tag)


def _get(path: str, handler: Handler, reply: Shape, *errors: Refusal, query: tuple[Query, ...] = ()) -> Route:
    return Route(method="GET", path=path, handler=handler, reply=reply, errors=errors, query=query)


def _private(path: str, handler: Handler, reply: Shape, *errors: Refusal, query: tuple[Query, ...] = ()) -> Route:
    """A read of what is its owner's alone, in strict mode."""
    route = _get(path, handler, reply, *errors, *_OWNS, query=query)
    return replace(route, private=True)


def _post(
    path: str, handler: Handler, reply: Shape, body: type[Struct] | None, actor: str | None, *errors: Refusal
) -> Route:
    """A write; *actor* names the member of the body that says who acts."""
    acts = None if actor is None else attrgetter(actor)
    return Route(method="POST", path=path, handler=handler, reply=reply, body=body, actor=acts, errors=errors)


def _health(path: str, handler: Handler, reply: Shape) -> Route:
    """Answered to anyone, also to a probe that comes from elsewhere."""
    return Route(method="GET", path=path, handler=handler, reply=reply, also=(503,), guarded=False)


_OWNS = (e.Unauthenticated, e.InvalidSignature, e.Forbidden)
_PAGE = (Query("limit", "rows, 1 to 200; default 50"), Query("cursor", "where the last page ended"))
_STATES = Query("state", "a state, or `active` for the open ones", values=("active", *NegotiationState))
_FILTERS = (
    Query("agent_did", "the worker"),
    Query("client_did", "the client"),
    Query("committee_did", "a member of the committee"),
    Query("negotiation_id", "the one receipt of this negotiation; other filters are ignored"),
    Query("status", "the status", values=tuple(ReceiptStatus)),
)
_ACTS = (e.InvalidDid, e.Unauthenticated, e.Forbidden)
_STAKES = (*_ACTS, e.AgentNotFound)
_SIGNS = (*_ACTS, e.InvalidSignature)
_ENVELOPE = (
    *(*_SIGNS, e.NoVerificationKey, e.ReplayDetected),
    *(e.InvalidEnvelope, e.UnsupportedVersion, e.InvalidTimestamp, e.EnvelopeExpired),
)
_MOVES = (*_ACTS, e.NotFound, e.InvalidState, e.Expired)
_ATTESTS = (
    *_SIGNS,
    e.UnauthorizedAttestation,
    e.SelfAttestation,
    e.NotFound,
    e.InvalidState,
    e.DuplicateAttestation,
    e.AttestationLimit,
    e.ReceiptClosed,
)

_PROVES = (
    *_ACTS,
    e.InvalidProof,
    e.InvalidWorkType,
    e.StaleProof,
    e.EmptyMetrics,
    e.FraudDetected,
    e.AgentNotFound,
    e.NotFound,
    e.DuplicateProof,
    e.FeatureDisabled,
)

_SEARCHES = (e.InvalidQuery, e.InvalidRequest, e.EmbeddingsUnavailable)
_EMBEDDINGS = Query("embeddings", "`true` sends embeddings along, in base64", values=("true", "false"))
_AGENTS = "/api/agents"
_NEGOTIATIONS = "/api/negotiations"
_NEGOTIATION = "/api/negotiations/{id}"
_RECEIPT = "/api/receipts/{task_id}"

# The first path that matches is taken: a fixed one stands before one with a parameter in its place.
ROUTES: tuple[Route, ...] = (
    replace(
        _post(f"{_AGENTS}/register", agents.register, wa.RegisteredReply, wa.RegisterBody, None, *_ACTS),
        actor=wa.RegisterBody.claimed,
        newcomers=True,
        rate=Group.REGISTRATION,
    ),
    replace(
        _post(
            "/api/discovery/envelope",
            discovery.receive,
            wd.EnvelopeReply,
            we.EnvelopeBody,
            None,
            *(*_ENVELOPE, e.UnsupportedMsgType, e.InvalidAdvertisement, e.InvalidDiscovery, *_SEARCHES),
        ),
        query=(_EMBEDDINGS,),
        envelope=True,
        newcomers=True,
    ),
    replace(
        _post("/api/discovery/search", discovery.search, list[wd.FoundReply], wd.QueryBody, None, *_SEARCHES),
        query=(_EMBEDDINGS,),
        reads=True,
    ),
    replace(
        _get(
            f"{_AGENTS}/discovery",
            discovery.search_by_url,
            list[wd.FoundReply],
            *_SEARCHES,
            query=(
                Query("description", "what is looked for", required=True),
                Query("tags", "one of them is enough; with commas between them"),
                Query("min_trust", "the least lower bound of trust, from 0 to 1"),
                Query("limit", "agents, 1 to 100"),
                _EMBEDDINGS,
            ),
        ),
        rate=Group.DISCOVERY,
    ),
    replace(
        _get(f"{_AGENTS}/{{did}}", agents.get, wa.AgentReply, *(e.AgentNotFound, e.NotFound, e.InvalidRequest)),
        query=(_EMBEDDINGS,),
    ),
    replace(
        _post(
            _NEGOTIATIONS,
            negotiations.initiate,
            wn.NegotiationReply,
            wn.InitiateBody,
            "initiator_did",
            *(*_SIGNS, e.InvalidProposal, e.SelfNegotiation, e.TooManyOpen),
        ),
        status=201,
    ),
    _private(
        _NEGOTIATIONS,
        negotiations.list_of_agent,
        list[wn.NegotiationReply],
        *(e.InvalidRequest, e.InvalidDid),
        query=(Query("agent_did", "a party", required=True), _STATES, *_PAGE),
    ),
    _private(_NEGOTIATION, negotiations.get, wn.NegotiationReply, e.NotFound),
    _post(
        f"{_NEGOTIATION}/propose",
        negotiations.propose,
        wn.NegotiationReply,
        wn.ProposeBody,
        "proposer_did",
        *(*_MOVES, e.InvalidSignature, e.InvalidProposal, e.NotYourTurn, e.MaxRoundsExceeded),
    ),
    _post(
        f"{_NEGOTIATION}/accept",
        negotiations.accept,
        wn.NegotiationReply,
        wn.AcceptBody,
        "acceptor_did",
        *(*_MOVES, e.InvalidSignature, e.OwnProposal, e.InsufficientCredits, e.AgentNotFound, e.ProposalChanged),
    ),
    _post(f"{_NEGOTIATION}/reject", negotiations.reject, wn.NegotiationReply, wn.RejectBody, "rejector_did", *_MOVES),
    _post(f"{_NEGOTIATION}/cancel", negotiations.cancel, wn.NegotiationReply, wn.CancelBody, "canceller_did", *_MOVES),
    _post(
        f"{_NEGOTIATION}/deliver", negotiations.deliver, wn.NegotiationReply, wn.DeliverBody, "deliverer_did", *_MOVES
    ),
    _post(
        f"{_NEGOTIATION}/settle",
        negotiations.settle,
        wn.SettledReply,
        wn.SettleBody,
        "settler_did",
        *(*_MOVES, e.AgentNotFound, e.SchemaBehind),
    ),
    _get(
        "/api/receipts",
        receipts.page,
        wr.ReceiptPage,
        *(e.InvalidRequest, e.InvalidDid, e.NotFound),
        query=(*_FILTERS, *_PAGE),
    ),
    _get(_RECEIPT, receipts.get, wr.ReceiptWithAttestations, e.NotFound, e.InvalidRequest, query=_PAGE),
    _get(f"{_RECEIPT}/statement", receipts.get_statement, dict, e.NotFound),
    _get(f"{_RECEIPT}/committee", receipts.get_committee, wr.CommitteeReply, e.NotFound),
    _get(
        f"{_RECEIPT}/attestations",
        receipts.get_attestations,
        wr.AttestationPage,
        *(e.NotFound, e.InvalidRequest),
        query=_PAGE,
    ),
    replace(
        _post(f"{_RECEIPT}/attestations", receipts.attest, wr.AttestedReply, wr.AttestBody, "by_did", *_ATTESTS),
        status=201,
        signed_body=lambda body: body.signature is not None,
        rate=Group.ATTESTATIONS,
    ),
    _post(f"{_RECEIPT}/finalize", receipts.finalize, wr.FinalizedReply, None, None, e.NotFound, e.QuorumNotMet),
    _get("/api/committee-epochs/{id}", receipts.get_epoch, wr.EpochReply, e.NotFound),
    _get("/api/reputation/{did}", agents.get_reputation, ReputationReply, e.NotFound),
    _get(
        "/api/reputation/{did}/history",
        agents.get_history,
        HistoryReply,
        *(e.NotFound, e.InvalidRequest),
        query=_PAGE,
    ),
    replace(
        _post(
            "/api/credits/deposit",
            money.deposit,
            wc.DepositReply,
            wc.DepositBody,
            None,
            *(e.Forbidden, e.AgentNotFound, e.InvalidDid),
        ),
        admin=True,
    ),
    _private("/api/credits/{did}", money.get, wc.BalanceReply, e.NotFound),
    _private(
        "/api/credits/{did}/transactions",
        money.transactions,
        wc.TransactionsReply,
        *(e.NotFound, e.InvalidRequest),
        query=(_PAGE[0], Query("offset", "rows to skip, at most 10000")),
    ),
    _post("/api/stakes", stakes.stake, ws.StakeReply, ws.StakeBody, "agent_did", *_STAKES, e.InsufficientCredits),
    _post(
        "/api/stakes/unstake",
        stakes.unstake,
        ws.StakeReply,
        ws.StakeBody,
        "agent_did",
        *(*_STAKES, e.InsufficientStake),
    ),
    _post(
        "/api/stakes/cancel-unstake",
        stakes.cancel_unstake,
        ws.StakeReply,
        ws.CancelUnstakeBody,
        "agent_did",
        *(*_STAKES, e.NoWithdrawal),
    ),
    _get("/api/stakes/{did}", stakes.get, ws.StakeReply, e.NotFound),
    replace(
        _post("/api/usefulness/proofs", usefulness.submit, wu.ProofReply, wu.ProofBody, "agent_did", *_PROVES),
        status=201,
    ),
    replace(
        _post("/api/usefulness/aggregate", usefulness.aggregate, wu.AggregatedReply, None, None, e.Forbidden),
        admin=True,
    ),
    _get("/api/usefulness/agents/{did}", usefulness.get, wu.UsefulnessReply, e.AgentNotFound, e.NotFound),
    replace(
        _post(
            "/api/admin/slash",
            stakes.slash,
            ws.SlashReply,
            ws.SlashBody,
            None,
            *(e.Forbidden, e.AgentNotFound, e.InvalidDid),
        ),
        admin=True,
    ),
    replace(
        _get(
            "/api/admin/audit",
            trail.page,
            TrailReply,
            *(e.Forbidden, e.InvalidRequest, e.InvalidDid),
            query=(
                Query("agent_did", "whom a refused request named, or whom an action was about"),
                Query("event_type", "what happened", values=tuple(Trace)),
                Query("since", "a time; what is older is left out"),
                *_PAGE,
            ),
        ),
        admin=True,
    ),
    _get("/api/broker", about.get, BrokerReply),
    _health("/health", health.get, HealthReply),
    _health("/health/ready", health.ready, ReadyReply),
    _health("/health/detailed", health.ready, ReadyReply),
    replace(_get(METRICS, metrics.get, str, e.Unauthenticated), media_type="text/plain"),
)

# What a process shows that answers no agents.
SCRAPED = tuple(route for route in ROUTES if not route.path.startswith("/api/"))
