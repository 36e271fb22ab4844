"""
What an agent asks of a broker about groups: to open one, to vote, to see what became of it.

`Client` and `AsyncClient` have these as methods, as those of `calls`.
"""

# ruff: noqa: ARG001 - every call takes who asks, also where the signature alone says it

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from ainp.client.ask import Ask, get, of, part, post
from ainp.client.calls import Who
from ainp.core.group import Choice, GroupRules
from ainp.wire.groups import AbortGroupBody, GroupReply, GroupsReply, OpenGroupBody, VoteBody


def open_group(
    by: Who,
    participants: Sequence[str],
    proposal: Mapping[str, Any],
    *,
    intent_id: str,
    rules: GroupRules | None = None,
) -> Ask[GroupReply]:
    """Propose something to two others and more; who opens a group has accepted its first proposal."""
    rules = rules or GroupRules()
    body = OpenGroupBody(
        intent_id=intent_id,
        participants=list(participants),
        proposal=dict(proposal),
        opener_did=of(by).did,
        voting_mechanism=rules.mechanism,
        convergence_threshold=None if rules.threshold_bp is None else rules.threshold_bp / 10_000,
        max_rounds=rules.max_rounds,
        timeout_per_round_ms=rules.round_time // timedelta(milliseconds=1),
    )
    return post("/api/groups", body, GroupReply)


def group(by: Who, group_id: str) -> Ask[GroupReply]:
    """One group in which one takes part."""
    return get(f"/api/groups/{part(group_id)}", GroupReply)


def groups(
    by: Who, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Ask[GroupsReply]:
    """The groups in which one takes part, the newest first."""
    return get("/api/groups", GroupsReply, agent_did=of(by).did, state=state, limit=limit, cursor=cursor)


def vote(
    by: Who,
    group: GroupReply,
    choice: Literal["ACCEPT", "REJECT", "ABSTAIN"],
    *,
    proposal: Mapping[str, Any] | None = None,
) -> Ask[GroupReply]:
    """Vote on what a group proposes, as one has seen it; who does not accept may propose another."""
    body = VoteBody(
        vote=Choice(choice),
        voter_did=of(by).did,
        terms_hash=group.terms_hash,
        round_number=group.round_number,
        proposal=None if proposal is None else dict(proposal),
    )
    return post(f"/api/groups/{part(group.id)}/votes", body, GroupReply)


def abort_group(by: Who, group_id: str, *, reason: str | None = None) -> Ask[GroupReply]:
    """End a group that one has opened, without an agreement."""
    return post(f"/api/groups/{part(group_id)}/abort", AbortGroupBody(of(by).did, reason), GroupReply)
