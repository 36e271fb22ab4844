"""The part of the route table that is about groups that negotiate."""

from dataclasses import replace

from ainp.core import errors as e
from ainp.core.group import DuplicateVote, GroupState
from ainp.core.message import Blocked
from ainp.http import groups
from ainp.http.route import ACTS, PAGE, Query, Route, post, private
from ainp.wire import groups as wg

_GROUP = "/api/groups/{id}"
_ENDS = (*ACTS, e.NotFound, e.InvalidState, e.Expired)

GROUP_ROUTES: tuple[Route, ...] = (
    replace(
        post(
            "/api/groups",
            groups.open_,
            wg.GroupReply,
            wg.OpenGroupBody,
            "opener_did",
            *(*ACTS, e.InvalidProposal, e.InvalidSignature, e.NoVerificationKey, e.TooManyOpen, Blocked),
        ),
        status=201,
    ),
    private(
        "/api/groups",
        groups.list_of_agent,
        wg.GroupsReply,
        *(e.InvalidRequest, e.InvalidDid),
        query=(
            Query("agent_did", "who takes part", required=True),
            Query("state", "the state", values=tuple(GroupState)),
            *PAGE,
        ),
    ),
    private(_GROUP, groups.get, wg.GroupReply, e.NotFound),
    post(
        f"{_GROUP}/votes",
        groups.vote,
        wg.GroupReply,
        wg.VoteBody,
        "voter_did",
        *(*_ENDS, e.ProposalChanged, DuplicateVote, e.InvalidProposal, e.InvalidSignature, e.NoVerificationKey),
    ),
    post(f"{_GROUP}/abort", groups.abort, wg.GroupReply, wg.AbortGroupBody, "opener_did", *_ENDS),
)
