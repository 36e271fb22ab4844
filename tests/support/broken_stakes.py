"""Facts about stakes that somebody changed by hand, and what that contradicts."""
# ruff: noqa: S608 - the tests own every word

from ainp.core.audit import Check
from support.broken import a_break, update

C = Check
_OF = "(SELECT 'staked:' || a.did FROM agents a WHERE a.id = agent_id)"
_AGENT = "(SELECT did FROM agents a WHERE a.id = agent_id)"

STAKE_BREAKS = (
    a_break(
        "a stake",
        update("agent_stakes", "amount_locked = amount_locked + 1", "amount_locked > 0", _OF),
        C.STAKED_ACCOUNT,
    ),
    a_break(
        "a stake that is gone",
        f"DELETE FROM agent_stakes WHERE amount_locked = 5000 AND withdrawing = 0 RETURNING {_OF}",
        C.STAKED_ACCOUNT,
    ),
    a_break(
        "what was slashed",
        update("agent_stakes", "slashed_total = slashed_total - 1", "slashed_total > 0", _OF),
        C.SLASHED_TOTAL,
    ),
    a_break(
        "whom a withdrawal was paid to",
        update("ledger_entries", "to_account = 'available:x'", "reason = 'unstake'", "key"),
        C.STAKE_ENTRY,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "who staked",
        update("ledger_entries", "from_account = 'available:x'", "reason = 'stake'", "key"),
        C.STAKE_ENTRY,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "where a slash went",
        update("ledger_entries", "to_account = 'fees'", "reason = 'slash'", "key"),
        C.STAKE_ENTRY,
        C.ACCOUNT_BALANCE,
        C.ACCOUNT_EARNED,
    ),
    a_break(
        "a withdrawal without a time",
        update("agent_stakes", "locked_until = NULL", "withdrawing > 0", _AGENT),
        C.WITHDRAWAL,
    ),
    a_break(
        "a withdrawal that was paid before",
        update(
            "agent_stakes",
            "withdrawal = (SELECT reference::uuid FROM ledger_entries WHERE reason = 'unstake')",
            "withdrawing > 0",
            _AGENT,
        ),
        C.WITHDRAWAL,
    ),
    a_break(
        "a slash that spared a dimension",
        update("reputation_observations", "reason = 'seen'", "reason = 'slashed'", "task_id"),
        C.SLASH_REPUTATION,
        C.REPUTATION_COUNT,
    ),
    a_break(
        "whom a slash was for",
        "UPDATE ledger_entries e SET reference = (SELECT min(task_id::text) FROM reputation_observations WHERE"
        " reason = 'slashed' AND task_id::text <> e.reference) WHERE reason = 'slash' RETURNING reference",
        C.SLASH_REPUTATION,
    ),
)
