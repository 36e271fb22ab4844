"""What is shown at the end: the receipt, the committee and its draw, the money, the reputation."""

from ainp.cli.demo.cast import Cast
from ainp.cli.demo.checks import net
from ainp.cli.demo.evidence import Evidence
from ainp.cli.demo.show import Show
from ainp.core.attestation import COMMITTEE_VERDICTS


def summarize(show: Show, cast: Cast, e: Evidence) -> None:
    """Show everything that came of the job."""
    _receipt(show, cast, e)
    _committee(show, cast, e)
    _money(show, cast, e)
    _reputation(show, e)


def _receipt(show: Show, cast: Cast, e: Evidence) -> None:
    r = e.receipt
    table = show.table("receipt", r.id)
    reason = "" if r.failure is None else f", because of {r.failure}"
    rows = {
        "status": f"{r.status}{reason}",
        "from, to": f"{cast.name(r.client_did or '')}, {cast.name(r.agent_did)}",
        "price": f"{show.credits(r.amount_atomic)} credits",
        "delivered": f"{r.outputs_ref} after {r.metrics['latency_ms']} ms, agreed were {r.metrics['delivery_time_ms']}",
        "quorum": f"{r.k} of {r.m} seats{f', extended to {len(r.committee)}' if r.extensions else ''}",
        "settled": r.created_at,
        "finalized": r.finalized_at or "never",
        "judged": r.judged_at or "not yet",
        "statement": f"SHA-256 {r.statement_hash}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    show.section("the receipt", table)


def _committee(show: Show, cast: Cast, e: Evidence) -> None:
    said = {a.by_did: a for a in e.receipt.attestations}
    moved = net(e)
    table = show.table("seat ", "auditor", "DID", "verdict", "score ", "reward ", "record")
    for seat, did in enumerate(e.committee.committee):
        a, record = said.get(did), e.auditors[did]
        verdict = "silent" if a is None else f"{a.type}{', late' if a.late else ''}"
        score = "" if a is None else str(a.score)
        note = "agreed" if record.agreed else "disagreed" if record.disagreed else "silent"
        table.add_row(str(seat), cast.name(did), _short(did), verdict, score, show.credits(moved[did]), note)
    show.section(
        "the committee, drawn by lottery",
        table,
        f"seed         {e.committee.seed}",
        f"commitment   {e.committee.seed_commitment}",
        f"list         {len(e.epoch.members)} candidates, published as epoch {e.committee.epoch} with this SHA-256:",
        f"             {e.epoch.hash}",
        "to repeat    seat i is SHA-256(seed, i) modulo the weight that is left,",
        "             walked along the list without the parties and the seated;",
        "             docs/proof-of-usefulness.md has it as a program",
    )


def _money(show: Show, cast: Cast, e: Evidence) -> None:
    moved = net(e)
    table = show.table("credits", "before ", "after ", "moved ", "why")
    heard = {a.by_did for a in e.receipt.attestations if a.type in COMMITTEE_VERDICTS}
    for agent in cast.everybody:
        why = "the price" if agent is cast.client else "the work" if agent is cast.worker else ""
        why = why or ("the verdict" if agent.did in heard else "")
        had, has = e.before.money[agent.did], e.money[agent.did]
        table.add_row(agent.name, show.credits(had), show.credits(has), _signed(show, has - had), why)
    for account, why in (("fees", "the broker's share"), ("pool", "for usefulness rewards")):
        table.add_row(account, "0", show.credits(moved[account]), _signed(show, moved[account]), why)
    total = sum(e.before.money.values()), sum(e.money.values()) + moved["fees"] + moved["pool"]
    table.add_section()
    table.add_row("together", *map(show.credits, total), _signed(show, total[1] - total[0]), "")
    show.section("the money", table)


def _reputation(show: Show, e: Evidence) -> None:
    table = show.table("worker's", "before ", "observed ", "after ", "why")
    for change in reversed(e.history):
        if change.dimension in e.reputation.__struct_fields__:
            values = (f"{value:.6f}" for value in (change.before, change.observed, change.after))
            table.add_row(change.name, *values, change.reason)
    table.add_section()
    table.add_row("trust", f"{e.before.reputation.score:.6f}", "", f"{e.reputation.score:.6f}", "made of these")
    show.section("the reputation", table)


def _signed(show: Show, atomic: int) -> str:
    return f"{'+' if atomic > 0 else '-' if atomic < 0 else ''}{show.credits(abs(atomic))}"


def _short(did: str) -> str:
    return f"{did[:12]}…{did[-6:]}"
