"""The whole route table: the only place that names a path; requests are routed and documented from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from ainp.core import errors as e
from ainp.core.errors import BrokerError
from ainp.core.negotiation import NegotiationState
from ainp.core.receipt import ReceiptStatus
from ainp.http import agents, health, money, negotiations, receipts
from ainp.http.call import Call, Reply
from ainp.wire import agents as wa
from ainp.wire import credits as wc
from ainp.wire import negotiations as wn
from ainp.wire import receipts as wr
from ainp.wire.health import HealthReply, ReadyReply
from ainp.wire.reputation import HistoryReply, ReputationReply

Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter."""

    name: str
    meaning: str
    required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path; *actor* reads from the body who acts, if the route needs to know."""

    method: str
    path: str
    handler: Handler
    reply: Any
    body: type[Struct] | None = None
    actor: Callable[[Any], str | None] | None = None
    query: tuple[Query, ...] = ()
    errors: tuple[type[BrokerError], ...] = ()
    status: int = 200
    also: tuple[int, ...] = ()
    admin: bool = False
    guarded: bool = True

    @property
    def tag(self) -> str:
        """What the route is about, from its path."""
        parts = self.path.strip("/").split("/")
        return (parts[1] if parts[0] == "api" else parts[0]).replace("-", " ")


def _field(name: str) -> Callable[[Any], str | None]:
    return lambda body: getattr(body, name)


_PAGE = (Query("limit", "rows, 1 to 200; default 50"), Query("cursor", "where the last page ended"))
_ACTS = (e.InvalidDid, e.Unauthenticated, e.Forbidden)
_SIGNS = (*_ACTS, e.InvalidSignature)
_MOVES = (*_ACTS, e.NotFound, e.InvalidState, e.Expired)
_SETTLES = (*_MOVES, e.AgentNotFound, e.SchemaBehind)

# The first path that matches is taken: a fixed one stands before one with a parameter in its place.
ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/negotiations/{id}/settle",
        handler=negotiations.settle,
        reply=wn.SettledReply,
        body=wn.SettleBody,
        actor=_field("settler_did"),
        errors=_SETTLES,
    ),
    Route(
        method="POST",
        path="/api/receipts/{task_id}/attestations",
        handler=receipts.attest,
        reply=wr.AttestedReply,
        body=wr.AttestBody,
        actor=_field("by_did"),
        status=201,
        errors=(
            *_ACTS,
            e.InvalidSignature,
            e.UnauthorizedAttestation,
            e.SelfAttestation,
            e.NotFound,
            e.InvalidState,
            e.DuplicateAttestation,
            e.AttestationLimit,
            e.ReceiptClosed,
        ),
    ),
    Route(
        method="GET",
        path="/api/receipts/{task_id}/attestations",
        handler=receipts.get_attestations,
        reply=wr.AttestationPage,
        query=_PAGE,
        errors=(e.NotFound, e.InvalidRequest),
    ),
    Route(
        method="GET",
        path="/api/receipts/{task_id}",
        handler=receipts.get,
        reply=wr.ReceiptWithAttestations,
        query=_PAGE,
        errors=(e.NotFound, e.InvalidRequest),
    ),
    Route(
        method="GET",
        path="/api/receipts/{task_id}/committee",
        handler=receipts.get_committee,
        reply=wr.CommitteeReply,
        errors=(e.NotFound,),
    ),
    Route(
        method="GET",
        path="/api/receipts/{task_id}/statement",
        handler=receipts.get_statement,
        reply=dict,
        errors=(e.NotFound,),
    ),
    Route(
        method="POST",
        path="/api/receipts/{task_id}/finalize",
        handler=receipts.finalize,
        reply=wr.FinalizedReply,
        errors=(e.NotFound, e.QuorumNotMet),
    ),
    Route(
        method="GET",
        path="/api/receipts",
        handler=receipts.page,
        reply=wr.ReceiptPage,
        query=(
            Query("agent_did", "the worker"),
            Query("client_did", "the client"),
            Query("committee_did", "a member of the committee"),
            Query("negotiation_id", "the one receipt of this negotiation; other filters are ignored"),
            Query("status", "the status", values=tuple(ReceiptStatus)),
            *_PAGE,
        ),
        errors=(e.InvalidRequest, e.InvalidDid, e.NotFound),
    ),
    Route(
        method="POST",
        path="/api/negotiations",
        handler=negotiations.initiate,
        reply=wn.NegotiationReply,
        body=wn.InitiateBody,
        actor=_field("initiator_did"),
        status=201,
        errors=(*_SIGNS, e.InvalidProposal, e.SelfNegotiation),
    ),
    Route(
        method="GET",
        path="/api/negotiations",
        handler=negotiations.list_of_agent,
        reply=list[wn.NegotiationReply],
        query=(
            Query("agent_did", "a party", required=True),
            Query("state", "a state, or `active` for the open ones", values=("active", *NegotiationState)),
            _PAGE[0],
        ),
        errors=(e.InvalidRequest, e.InvalidDid),
    ),
    Route(
        method="GET",
        path="/api/negotiations/{id}",
        handler=negotiations.get,
        reply=wn.NegotiationReply,
        errors=(e.NotFound,),
    ),
    Route(
        method="POST",
        path="/api/negotiations/{id}/propose",
        handler=negotiations.propose,
        reply=wn.NegotiationReply,
        body=wn.ProposeBody,
        actor=_field("proposer_did"),
        errors=(*_MOVES, e.InvalidSignature, e.InvalidProposal, e.NotYourTurn, e.MaxRoundsExceeded),
    ),
    Route(
        method="POST",
        path="/api/negotiations/{id}/accept",
        handler=negotiations.accept,
        reply=wn.NegotiationReply,
        body=wn.AcceptBody,
        actor=_field("acceptor_did"),
        errors=(*_MOVES, e.InvalidSignature, e.OwnProposal, e.InsufficientCredits, e.AgentNotFound, e.ProposalChanged),
    ),
    Route(
        method="POST",
        path="/api/negotiations/{id}/reject",
        handler=negotiations.reject,
        reply=wn.NegotiationReply,
        body=wn.RejectBody,
        actor=_field("rejector_did"),
        errors=_MOVES,
    ),
    Route(
        method="POST",
        path="/api/negotiations/{id}/cancel",
        handler=negotiations.cancel,
        reply=wn.NegotiationReply,
        body=wn.CancelBody,
        actor=_field("canceller_did"),
        errors=_MOVES,
    ),
    Route(
        method="POST",
        path="/api/negotiations/{id}/deliver",
        handler=negotiations.deliver,
        reply=wn.NegotiationReply,
        body=wn.DeliverBody,
        actor=_field("deliverer_did"),
        errors=_MOVES,
    ),
    Route(
        method="POST",
        path="/api/agents/register",
        handler=agents.register,
        reply=wa.RegisteredReply,
        body=wa.RegisterBody,
        actor=wa.RegisterBody.claimed,
        errors=_ACTS,
    ),
    Route(
        method="GET",
        path="/api/agents/{did}",
        handler=agents.get,
        reply=wa.AgentReply,
        errors=(e.AgentNotFound, e.NotFound),
    ),
    Route(
        method="GET",
        path="/api/reputation/{did}",
        handler=agents.get_reputation,
        reply=ReputationReply,
        errors=(e.NotFound,),
    ),
    Route(
        method="GET",
        path="/api/reputation/{did}/history",
        handler=agents.get_history,
        reply=HistoryReply,
        query=_PAGE,
        errors=(e.NotFound, e.InvalidRequest),
    ),
    Route(
        method="POST",
        path="/api/credits/deposit",
        handler=money.deposit,
        reply=wc.DepositReply,
        body=wc.DepositBody,
        errors=(e.Forbidden, e.AgentNotFound, e.InvalidDid),
        admin=True,
    ),
    Route(
        method="GET",
        path="/api/credits/{did}",
        handler=money.get,
        reply=wc.BalanceReply,
        errors=(e.NotFound,),
    ),
    Route(
        method="GET",
        path="/api/credits/{did}/transactions",
        handler=money.transactions,
        reply=wc.TransactionsReply,
        query=(_PAGE[0], Query("offset", "rows to skip, at most 10000")),
        errors=(e.NotFound, e.InvalidRequest),
    ),
    Route(
        method="GET",
        path="/api/committee-epochs/{id}",
        handler=receipts.get_epoch,
        reply=wr.EpochReply,
        errors=(e.NotFound,),
    ),
    Route(method="GET", path="/health", handler=health.get, reply=HealthReply, also=(503,), guarded=False),
    Route(method="GET", path="/health/ready", handler=health.ready, reply=ReadyReply, also=(503,), guarded=False),
    Route(method="GET", path="/health/detailed", handler=health.ready, reply=ReadyReply, also=(503,), guarded=False),
)
