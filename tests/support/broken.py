"""One fact after another that somebody changed by hand, and what that contradicts."""
# ruff: noqa: S608 - the tests own every word

from dataclasses import dataclass

from ainp.core.audit import Check


@dataclass(frozen=True)
class Break:
    """A statement that changes one fact and returns what the finding must name; and every check that then fails."""

    name: str
    found: frozenset[Check]
    statement: str
    before: tuple[str, ...] = ()


def a_break(name: str, statement: str, *found: Check, before: tuple[str, ...] = ()) -> Break:
    return Break(name, frozenset(found), statement, before)


def update(table: str, change: str, where: str, subject: str = "id") -> str:
    """Change the first row that fits."""
    return (
        f"UPDATE {table} SET {change} WHERE ctid = (SELECT ctid FROM {table} WHERE {where} ORDER BY ctid LIMIT 1)"
        f" RETURNING {subject}"
    )


def receipt(change: str, where: str = "amount_atomic = 12345") -> str:
    return update("task_receipts", change, where)


def negotiation(change: str, where: str = "state = 'initiated'") -> str:
    return update("negotiations", change, where)


def attestation(change: str, where: str = "type = 'QUALITY_HIGH'") -> str:
    return update("task_attestations", change, where)


def restated(table: str, text: str, where: str) -> str:
    """Write a statement anew, with a hash that fits."""
    said = f"(replace(convert_from(statement, 'UTF8'), {text}))::bytea"
    return update(table, f"statement = {said}, statement_hash = sha256({said})", where)


_ONE_RECEIPT = "ALTER TABLE task_receipts DROP CONSTRAINT task_receipts_negotiation_id_key"
_MAY_OWE = "ALTER TABLE accounts DROP CONSTRAINT accounts_balance_not_negative"
C = Check

MONEY_BREAKS = (
    # Accounts
    a_break(
        "a balance",
        update("accounts", "balance = balance + 1", "account LIKE 'available:%'", "account"),
        C.LEDGER_SUM,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "credits of nothing",
        "INSERT INTO accounts VALUES ('available:x', 5) RETURNING account",
        C.LEDGER_SUM,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "what was earned",
        update("accounts", "earned = earned + 1", "account LIKE 'available:%'", "account"),
        C.ACCOUNT_EARNED,
    ),
    a_break(
        "what was spent",
        update("accounts", "spent = spent + 1", "account LIKE 'reserved:%'", "account"),
        C.ACCOUNT_SPENT,
    ),
    a_break(
        "an account that owes",
        "INSERT INTO ledger_entries (key, from_account, to_account, amount, reason)"
        " VALUES ('theft', 'staked:x', 'available:x', 5, 'stake') RETURNING from_account",
        C.ACCOUNT_NEGATIVE,
        C.STAKED_ACCOUNT,
        C.STAKE_ENTRY,
        before=(_MAY_OWE, "INSERT INTO accounts VALUES ('staked:x', -5), ('available:x', 5)"),
    ),
    a_break(
        "a hot account that owes",
        "INSERT INTO ledger_pending VALUES ('fees', -1000000000, 0, 0) RETURNING account",
        C.ACCOUNT_NEGATIVE,
        C.ACCOUNT_BALANCE,
        C.LEDGER_SUM,
    ),
    a_break(
        "a pending movement",
        update("ledger_pending", "amount = amount + 1", "account = 'fees'", "account"),
        C.LEDGER_SUM,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "a pending movement of nobody",
        "INSERT INTO ledger_pending VALUES ('lost', 0, 0, 0) RETURNING account",
        C.PENDING_ACCOUNT,
    ),
    a_break(
        "an account that is not hot any more",
        "UPDATE accounts SET hot = false WHERE account = 'pool' RETURNING account",
        C.PENDING_ACCOUNT,
    ),
    # Reservations
    a_break(
        "a promise kept apart",
        "WITH taken AS (UPDATE accounts SET balance = balance - 5 WHERE account = (SELECT 'reserved:'"
        " || initiator_did FROM"
        " negotiations WHERE state = 'accepted') RETURNING account), given AS (INSERT INTO accounts"
        " VALUES ('available:x', 5)),"
        " entry AS (INSERT INTO ledger_entries (key, from_account, to_account, amount, reason)"
        " SELECT 'free', account, 'available:x', 5, 'unstake' FROM taken) SELECT account FROM taken",
        C.RESERVED_ACCOUNT,
        C.STAKE_ENTRY,
    ),
    a_break(
        "a promise by nobody",
        "WITH given AS (INSERT INTO accounts VALUES ('reserved:x', 5)), taken AS"
        " (UPDATE accounts SET balance = balance - 5 WHERE account = 'mint'), entry AS (INSERT INTO ledger_entries"
        " (key, from_account, to_account, amount, reason) VALUES ('odd', 'mint', 'reserved:x', 5, 'unstake'))"
        " SELECT 'reserved:x'",
        C.RESERVED_ACCOUNT,
        C.STAKE_ENTRY,
    ),
    a_break(
        "an entry of no negotiation",
        update("ledger_entries", "reference = 'nothing'", "reason = 'reserve'", "key"),
        C.ENTRY_ACCOUNTS,
        C.RESERVATION,
    ),
    a_break(
        "a reservation by somebody else",
        "UPDATE ledger_entries e SET from_account = 'reserved:x', to_account = 'available:x' WHERE"
        " reason = 'reserve' AND"
        " reference = (SELECT id::text FROM negotiations WHERE state = 'accepted') RETURNING key",
        C.ENTRY_ACCOUNTS,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "a reservation's amount",
        update("ledger_entries", "amount = amount + 1", "reason = 'reserve'", "reference"),
        C.RESERVATION,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "a release to somebody else",
        update("ledger_entries", "to_account = 'fees'", "reason = 'release'", "key"),
        C.ENTRY_ACCOUNTS,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "a release that did not happen",
        "WITH gone AS (DELETE FROM ledger_entries WHERE key = (SELECT 'release:' || id FROM negotiations WHERE state ="
        " 'cancelled') RETURNING *), kept AS (UPDATE accounts a SET balance = balance + CASE WHEN"
        " account = from_account THEN"
        " amount ELSE -amount END FROM gone WHERE account IN (from_account, to_account)) SELECT reference FROM gone",
        C.RELEASE,
        C.RESERVED_ACCOUNT,
    ),
    a_break(
        "a release of what was settled",
        "INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference) SELECT 'release:' || id,"
        " 'reserved:' || initiator_did, 'available:' || initiator_did, 1, 'release', id FROM negotiations WHERE"
        " reserved_atomic = 12345 RETURNING reference",
        C.RELEASE,
        C.ACCOUNT_BALANCE,
    ),
    # Settlements
    a_break(
        "a part of a settlement too many",
        "INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference) SELECT"
        " 'settle:' || id ||"
        " ':thief', 'reserved:' || initiator_did, 'available:x', 1, 'settlement', id FROM negotiations WHERE"
        " reserved_atomic = 12345 RETURNING reference",
        C.SETTLEMENT,
        C.ACCOUNT_BALANCE,
        C.ACCOUNT_EARNED,
        C.ACCOUNT_SPENT,
    ),
    a_break(
        "a settlement from somebody else's reservation",
        update("ledger_entries", "from_account = 'reserved:x'", "reason = 'settlement'", "key"),
        C.ENTRY_ACCOUNTS,
        C.ACCOUNT_BALANCE,
        C.ACCOUNT_SPENT,
    ),
    *(
        a_break(
            f"who got the {name}'s part",
            "UPDATE ledger_entries SET to_account = 'staked:x' WHERE key = (SELECT 'settle:' || negotiation_id || ':"
            f"{key}' FROM task_receipts WHERE amount_atomic = {amount}) RETURNING (SELECT id FROM task_receipts WHERE"
            f" amount_atomic = {amount})",
            C.DISTRIBUTION,
            C.ACCOUNT_BALANCE,
            C.ACCOUNT_EARNED,
        )
        for name, key, amount in (
            ("agent", "agent", 12345),
            ("broker", "broker", 12345),
            ("pool", "pool", 12345),
            ("validator", "validator", 7000),
            ("reward account", "validator", 12345),
        )
    ),
    a_break(
        "what a receipt says was distributed",
        receipt(
            "distribution = distribution || jsonb_build_object('broker', ((distribution ->> 'broker')::int + 1)::text,"
            " 'pool', ((distribution ->> 'pool')::int - 1)::text)"
        ),
        C.DISTRIBUTION,
        C.STATEMENT,
    ),
    a_break(
        "a distribution that does not add up",
        receipt('distribution = distribution || \'{"extra": "1"}\''),
        C.RECEIPT_ORIGIN,
        C.STATEMENT,
    ),
    a_break(
        "a receipt too many",
        "INSERT INTO task_receipts (negotiation_id, agent_did, client_did, amount_atomic) SELECT id, responder_did,"
        " initiator_did, 0 FROM negotiations WHERE state = 'expired' RETURNING negotiation_id",
        C.RECEIPT_PER_SETTLEMENT,
        C.RECEIPT_ORIGIN,
        C.STATEMENT,
    ),
    a_break(
        "a receipt of nothing",
        "WITH made AS (INSERT INTO task_receipts (agent_did) VALUES ('did:key:z1')) SELECT 'receipts'",
        C.RECEIPT_PER_SETTLEMENT,
    ),
    a_break(
        "a receipt twice",
        "INSERT INTO task_receipts SELECT (jsonb_populate_record(r, jsonb_build_object('id',"
        " gen_random_uuid()))).* FROM"
        " task_receipts r WHERE amount_atomic = 0 RETURNING negotiation_id",
        C.RECEIPT_PER_SETTLEMENT,
        C.STATEMENT,
        before=(_ONE_RECEIPT,),
    ),
    a_break(
        "a receipt that is gone",
        "DELETE FROM task_receipts WHERE amount_atomic = 0 RETURNING negotiation_id",
        C.RECEIPT_PER_SETTLEMENT,
    ),
    a_break(
        "a settled negotiation that names another receipt",
        negotiation("task_id = gen_random_uuid()", "state = 'settled'"),
        C.RECEIPT_PER_SETTLEMENT,
    ),
    # Rewards
    a_break(
        "a reward that was paid too early",
        "WITH paid AS (UPDATE accounts SET balance = 0, spent = spent + balance WHERE account = (SELECT"
        " 'reward:' || id FROM"
        " task_receipts WHERE amount_atomic = 9000) RETURNING account), entry AS (INSERT INTO ledger_entries (key,"
        " from_account, to_account, amount, reason) SELECT account, account, 'available:x', 900,"
        " 'audit_reward' FROM paid),"
        " got AS (INSERT INTO accounts VALUES ('available:x', 900, 900)) SELECT replace(account,"
        " 'reward:', '') FROM paid",
        C.REWARD_ACCOUNT,
        C.REWARDS,
    ),
    a_break(
        "a reward of no receipt",
        "WITH given AS (INSERT INTO accounts VALUES ('reward:x', 5, 5)), taken AS (UPDATE accounts SET"
        " balance = balance - 5,"
        " spent = spent + 5 WHERE account = 'mint'), entry AS (INSERT INTO ledger_entries (key,"
        " from_account, to_account,"
        " amount, reason) VALUES ('odd', 'mint', 'reward:x', 5, 'settlement'))"
        " SELECT 'reward:x'",
        C.REWARD_ACCOUNT,
        C.ENTRY_ACCOUNTS,
    ),
    a_break(
        "who got a reward",
        "UPDATE ledger_entries SET to_account = 'staked:x' WHERE id = (SELECT min(id) FROM"
        " ledger_entries WHERE reason ="
        " 'audit_reward') RETURNING reference",
        C.REWARDS,
        C.ACCOUNT_BALANCE,
        C.ACCOUNT_EARNED,
    ),
    # Negotiations
    a_break(
        "whose turn it was",
        negotiation("rounds = replace(rounds::text, initiator_did, responder_did)::json"),
        C.ROUNDS,
    ),
    a_break(
        "the number of a round",
        negotiation("rounds = replace(rounds::text, '\"round_number\":1', '\"round_number\":2')::json"),
        C.ROUNDS,
    ),
    a_break(
        "the terms", negotiation("rounds = replace(rounds::text, '\"price\":100', '\"price\":101')::json"), C.TERMS_HASH
    ),
    a_break(
        "the price",
        negotiation("rounds = replace(rounds::text, '\"price\":8', '\"price\":7')::json", "state = 'accepted'"),
        C.TERMS_HASH,
        C.RESERVED_PRICE,
    ),
    a_break(
        "what is reserved",
        negotiation("reserved_atomic = reserved_atomic + 1", "state = 'accepted'"),
        C.RESERVED_PRICE,
        C.RESERVED_ACCOUNT,
        C.RESERVATION,
    ),
    a_break("a negotiation without rounds", negotiation("rounds = '[]'"), C.ROUNDS),
    a_break("rounds that are none", negotiation("rounds = '[{}]'"), C.UNREADABLE),
    *(
        a_break(
            f"the {name} over the terms",
            negotiation(
                f"rounds = replace(rounds::text, '\"{name}\":\"' || (rounds -> 1 ->> '{name}'), '\"{name}\":\"' || "
                "repeat('A', 86) || '==')::json",
                "reserved_atomic = 12345",
            ),
            C.SIGNATURE,
            C.STATEMENT,
        )
        for name in ("signature", "countersignature")
    ),
)
