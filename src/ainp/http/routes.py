"""The whole route table: the only place that names a path; requests are routed and documented from it."""

from dataclasses import replace

from ainp.core import errors as e
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
from ainp.http.group_routes import GROUP_ROUTES
from ainp.http.memory_routes import DEV_ROUTES, MEMORY_ROUTES
from ainp.http.message_routes import MESSAGE_ROUTES
from ainp.http.payment_routes import PAYMENT_ROUTES
from ainp.http.route import ACTS, ENVELOPE, PAGE, SIGNS, Query, Route, get, health_check, post, private
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

_STATES = Query("state", "a state, or `active` for the open ones", values=("active", *NegotiationState))
_FILTERS = (
    Query("agent_did", "the worker"),
    Query("client_did", "the client"),
    Query("committee_did", "a member of the committee"),
    Query("negotiation_id", "the one receipt of this negotiation; other filters are ignored"),
    Query("status", "the status", values=tuple(ReceiptStatus)),
)
_STAKES = (*ACTS, e.AgentNotFound)
_MOVES = (*ACTS, e.NotFound, e.InvalidState, e.Expired)
_ATTESTS = (
    *SIGNS,
    e.UnauthorizedAttestation,
    e.SelfAttestation,
    e.NotFound,
    e.InvalidState,
    e.DuplicateAttestation,
    e.AttestationLimit,
    e.ReceiptClosed,
)

_PROVES = (
    *ACTS,
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
        post(f"{_AGENTS}/register", agents.register, wa.RegisteredReply, wa.RegisterBody, None, *ACTS),
        actor=wa.RegisterBody.claimed,
        newcomers=True,
        asks=agents.describe,
        rate=Group.REGISTRATION,
    ),
    replace(
        post(
            "/api/discovery/envelope",
            discovery.receive,
            wd.EnvelopeReply,
            we.EnvelopeBody,
            None,
            *(*ENVELOPE, e.UnsupportedMsgType, e.InvalidAdvertisement, e.InvalidDiscovery, *_SEARCHES),
        ),
        query=(_EMBEDDINGS,),
        envelope=True,
        newcomers=True,
    ),
    replace(
        post(
            "/api/discovery/search",
            discovery.search,
            list[wd.FoundReply] | wd.FoundAgents,
            wd.QueryBody,
            None,
            *_SEARCHES,
        ),
        query=(_EMBEDDINGS,),
        reads=True,
    ),
    replace(
        get(
            f"{_AGENTS}/discovery",
            discovery.search_by_url,
            list[wd.FoundReply],
            *_SEARCHES,
            query=(
                Query("description", "what is looked for", required=True),
                Query("tags", "one of them is enough; with commas between them"),
                Query("min_trust", "the least lower bound of trust, from 0 to 1"),
                Query("max_latency_ms", "leaves out what says that it takes longer"),
                Query("max_cost", "credits; leaves out what says that it costs more"),
                Query("limit", "agents, 1 to 100"),
                _EMBEDDINGS,
            ),
        ),
        rate=Group.DISCOVERY,
    ),
    replace(
        get(f"{_AGENTS}/{{did}}", agents.get, wa.AgentReply, *(e.AgentNotFound, e.NotFound, e.InvalidRequest)),
        query=(_EMBEDDINGS,),
    ),
    replace(
        post(
            _NEGOTIATIONS,
            negotiations.initiate,
            wn.NegotiationReply,
            wn.InitiateBody,
            "initiator_did",
            *(*SIGNS, e.InvalidProposal, e.SelfNegotiation, e.TooManyOpen),
        ),
        status=201,
    ),
    private(
        _NEGOTIATIONS,
        negotiations.list_of_agent,
        list[wn.NegotiationReply],
        *(e.InvalidRequest, e.InvalidDid),
        query=(Query("agent_did", "a party", required=True), _STATES, *PAGE),
    ),
    private(_NEGOTIATION, negotiations.get, wn.NegotiationReply, e.NotFound),
    post(
        f"{_NEGOTIATION}/propose",
        negotiations.propose,
        wn.NegotiationReply,
        wn.ProposeBody,
        "proposer_did",
        *(*_MOVES, e.InvalidSignature, e.InvalidProposal, e.NotYourTurn, e.MaxRoundsExceeded),
    ),
    post(
        f"{_NEGOTIATION}/accept",
        negotiations.accept,
        wn.NegotiationReply,
        wn.AcceptBody,
        "acceptor_did",
        *(*_MOVES, e.InvalidSignature, e.OwnProposal, e.InsufficientCredits, e.AgentNotFound, e.ProposalChanged),
    ),
    post(f"{_NEGOTIATION}/reject", negotiations.reject, wn.NegotiationReply, wn.RejectBody, "rejector_did", *_MOVES),
    post(f"{_NEGOTIATION}/cancel", negotiations.cancel, wn.NegotiationReply, wn.CancelBody, "canceller_did", *_MOVES),
    post(
        f"{_NEGOTIATION}/deliver", negotiations.deliver, wn.NegotiationReply, wn.DeliverBody, "deliverer_did", *_MOVES
    ),
    post(
        f"{_NEGOTIATION}/settle",
        negotiations.settle,
        wn.SettledReply,
        wn.SettleBody,
        "settler_did",
        *(*_MOVES, e.AgentNotFound, e.SchemaBehind),
    ),
    get(
        "/api/receipts",
        receipts.page,
        wr.ReceiptPage,
        *(e.InvalidRequest, e.InvalidDid, e.NotFound),
        query=(*_FILTERS, *PAGE),
    ),
    get(_RECEIPT, receipts.get, wr.ReceiptWithAttestations, e.NotFound, e.InvalidRequest, query=PAGE),
    get(f"{_RECEIPT}/statement", receipts.get_statement, dict, e.NotFound),
    get(f"{_RECEIPT}/committee", receipts.get_committee, wr.CommitteeReply, e.NotFound),
    get(
        f"{_RECEIPT}/attestations",
        receipts.get_attestations,
        wr.AttestationPage,
        *(e.NotFound, e.InvalidRequest),
        query=PAGE,
    ),
    replace(
        post(f"{_RECEIPT}/attestations", receipts.attest, wr.AttestedReply, wr.AttestBody, "by_did", *_ATTESTS),
        status=201,
        signed_body=lambda body: body.signature is not None,
        rate=Group.ATTESTATIONS,
    ),
    post(f"{_RECEIPT}/finalize", receipts.finalize, wr.FinalizedReply, None, None, e.NotFound, e.QuorumNotMet),
    get("/api/committee-epochs/{id}", receipts.get_epoch, wr.EpochReply, e.NotFound),
    get("/api/reputation/{did}", agents.get_reputation, ReputationReply, e.NotFound),
    get(
        "/api/reputation/{did}/history",
        agents.get_history,
        HistoryReply,
        *(e.NotFound, e.InvalidRequest),
        query=PAGE,
    ),
    replace(
        post(
            "/api/credits/deposit",
            money.deposit,
            wc.DepositReply,
            wc.DepositBody,
            None,
            *(e.Forbidden, e.AgentNotFound, e.InvalidDid),
        ),
        admin=True,
    ),
    private("/api/credits/{did}", money.get, wc.BalanceReply, e.NotFound),
    private(
        "/api/credits/{did}/transactions",
        money.transactions,
        wc.TransactionsReply,
        *(e.NotFound, e.InvalidRequest),
        query=(PAGE[0], Query("offset", "rows to skip, at most 10000")),
    ),
    post("/api/stakes", stakes.stake, ws.StakeReply, ws.StakeBody, "agent_did", *_STAKES, e.InsufficientCredits),
    post(
        "/api/stakes/unstake",
        stakes.unstake,
        ws.StakeReply,
        ws.StakeBody,
        "agent_did",
        *(*_STAKES, e.InsufficientStake),
    ),
    post(
        "/api/stakes/cancel-unstake",
        stakes.cancel_unstake,
        ws.StakeReply,
        ws.CancelUnstakeBody,
        "agent_did",
        *(*_STAKES, e.NoWithdrawal),
    ),
    get("/api/stakes/{did}", stakes.get, ws.StakeReply, e.NotFound),
    replace(
        post("/api/usefulness/proofs", usefulness.submit, wu.ProofReply, wu.ProofBody, "agent_did", *_PROVES),
        status=201,
    ),
    replace(
        post("/api/usefulness/aggregate", usefulness.aggregate, wu.AggregatedReply, None, None, e.Forbidden),
        admin=True,
    ),
    get("/api/usefulness/agents/{did}", usefulness.get, wu.UsefulnessReply, e.AgentNotFound, e.NotFound),
    replace(
        post(
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
        get(
            "/api/admin/audit",
            trail.page,
            TrailReply,
            *(e.Forbidden, e.InvalidRequest, e.InvalidDid),
            query=(
                Query("agent_did", "whom a refused request named, or whom an action was about"),
                Query("event_type", "what happened", values=tuple(Trace)),
                Query("since", "a time; what is older is left out"),
                *PAGE,
            ),
        ),
        admin=True,
    ),
    *MESSAGE_ROUTES,
    *GROUP_ROUTES,
    *MEMORY_ROUTES,
    *DEV_ROUTES,
    *PAYMENT_ROUTES,
    get("/api/broker", about.get, BrokerReply),
    health_check("/health", health.get, HealthReply),
    health_check("/health/ready", health.ready, ReadyReply),
    health_check("/health/detailed", health.ready, ReadyReply),
    replace(get(METRICS, metrics.get, str, e.Unauthenticated), media_type="text/plain"),
)

__all__ = ["ROUTES", "SCRAPED", "Query", "Route"]

# What a process shows that answers no agents.
SCRAPED = tuple(route for route in ROUTES if not route.path.startswith("/api/"))
