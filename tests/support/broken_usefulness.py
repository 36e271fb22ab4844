"""Facts about rewards and proofs that somebody changed by hand, and what that contradicts."""
# ruff: noqa: S608 - the tests own every word

from ainp.core.audit import Check
from support.broken import a_break, update

C = Check
_NAME = "to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24')"
_BOOKED = "reason = 'usefulness_reward'"

USEFULNESS_BREAKS = (
    *(
        a_break(f"{name} of an hour", update("reward_hours", change, "from_pool > 0", _NAME), C.REWARD_HOUR)
        for name, change in (
            ("the cost", "total = total + 1"),
            ("the part of the pool", "from_pool = from_pool - 1"),
            ("the number of the rewarded", "recipients = recipients + 1"),
        )
    ),
    a_break(
        "an hour that is gone",
        f"DELETE FROM reward_hours WHERE from_pool < total RETURNING {_NAME}",
        C.REWARD_HOUR,
    ),
    a_break(
        "what an hour that had nobody has cost",
        update("reward_hours", "total = 5", "total = 0", _NAME),
        C.REWARD_HOUR,
    ),
    a_break(
        "what a reward is for",
        update("ledger_entries", "reference = 'nothing'", _BOOKED, "key"),
        C.REWARD_HOUR,
        C.REWARD_ENTRY,
    ),
    a_break(
        "a reward for no hour",
        update("ledger_entries", "reference = NULL", _BOOKED, "key"),
        C.REWARD_HOUR,
        C.REWARD_ENTRY,
    ),
    a_break(
        "a reward that was paid twice",
        "INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference) SELECT key || ' again',"
        f" from_account, to_account, amount, reason, reference FROM ledger_entries WHERE {_BOOKED} LIMIT 1"
        " RETURNING key",
        C.REWARD_HOUR,
        C.REWARD_ENTRY,
        C.ACCOUNT_BALANCE,
        C.ACCOUNT_EARNED,
        C.ACCOUNT_SPENT,
    ),
    a_break(
        "who got a reward for usefulness",
        update("ledger_entries", "to_account = 'available:x'", _BOOKED, "key"),
        C.REWARD_ENTRY,
        C.ACCOUNT_BALANCE,
        C.ACCOUNT_EARNED,
    ),
    a_break(
        "who paid a reward for usefulness",
        update("ledger_entries", "from_account = 'fees'", f"{_BOOKED} AND from_account = 'pool'", "key"),
        C.REWARD_HOUR,
        C.REWARD_ENTRY,
        C.ACCOUNT_BALANCE,
        C.ACCOUNT_SPENT,
    ),
    a_break(
        "how many proofs there are",
        update("usefulness_totals", "proofs = proofs + 1", "true", "agent_did"),
        C.USEFULNESS_TOTAL,
    ),
    a_break(
        "when the last proof was",
        update("usefulness_totals", "last_proof_at = now()", "true", "agent_did"),
        C.USEFULNESS_TOTAL,
    ),
    a_break(
        "a proof that is gone",
        "DELETE FROM usefulness_proofs WHERE receipt_id IS NOT NULL RETURNING agent_did",
        C.USEFULNESS_TOTAL,
    ),
    a_break(
        "the proofs of an agent that nobody counted",
        "DELETE FROM usefulness_totals WHERE agent_did = (SELECT min(agent_did) FROM usefulness_totals)"
        " RETURNING agent_did",
        C.USEFULNESS_TOTAL,
    ),
)
