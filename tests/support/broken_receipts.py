"""Facts about receipts, draws, voices and reputations that somebody changed by hand."""
# ruff: noqa: S608 - the tests own every word

from ainp.core.audit import Check
from support.broken import Break, a_break, attestation, receipt, restated, update

C = Check
_MANY_VERDICTS = "DROP INDEX idx_task_attestations_verdict"
_LATE = "convert_from(statement, 'UTF8')::jsonb -> 'committee' = '[]' AND committee <> '[]'"
_EXTENDED = "amount_atomic = 30000"
_PENDING = "amount_atomic = 9000"
_WAITING = "amount_atomic = 10000"
_UNJUDGED = "status = 'finalized' AND judged_at IS NULL AND extensions = 0 AND amount_atomic = 100000"
_FAILED = "failure = 'verdicts' AND judged_at IS NULL"
_OUTSIDER = "'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'"

_DRAWS = (
    a_break(
        "a candidate's weight",
        update("committee_epochs", "weights[5] = weights[5] + 1", "id = (SELECT max(id) FROM committee_epochs)"),
        C.EPOCH_HASH,
        C.DRAW,
        C.STATEMENT,
    ),
    a_break("the hash of a list", update("committee_epochs", "hash = sha256('')", "true"), C.EPOCH_HASH),
    a_break(
        "a list that lost a column",
        update("committee_epochs", "registered_at = registered_at[2:]", "cardinality(members) < 16"),
        C.EPOCH_HASH,
    ),
    a_break("the list of a draw", receipt("epoch_id = 999"), C.DRAW, C.STATEMENT),
    a_break("a draw without its list", receipt("epoch_id = NULL"), C.DRAW, C.STATEMENT),
    a_break("a seed", receipt("seed = sha256('')"), C.DRAW, C.STATEMENT, C.SEED_COMMITMENT, C.RECEIPT_ORIGIN),
    a_break("a seed that is gone", receipt("seed = NULL"), C.DRAW, C.STATEMENT, C.SEED_COMMITMENT, C.RECEIPT_ORIGIN),
    a_break(
        "an open committee's order",
        receipt("committee = jsonb_build_array(committee -> 1, committee -> 0) || (committee - 0 - 0)", _PENDING),
        C.DRAW,
        C.STATEMENT_COMMITTEE,
    ),
    a_break("a member too many", receipt(f"committee = committee || to_jsonb({_OUTSIDER}::text)", _PENDING), C.DRAW),
    a_break(
        "a member of an extension",
        receipt(f"committee = (committee - 9) || to_jsonb({_OUTSIDER}::text)", _EXTENDED),
        C.DRAW,
    ),
    a_break("a seat of a late committee", receipt("committee = committee - 4", _LATE), C.DRAW),
    a_break("a late committee that is gone", receipt("committee = '[]'", _LATE), C.DRAW, C.QUORUM, C.SPEAKER),
    a_break("an extension that was not counted", receipt("extensions = 0", _EXTENDED), C.DRAW),
    a_break("a short committee", receipt("committee_short = true", _PENDING), C.COMMITTEE_SHORT),
    a_break("the way of the draw", receipt("draw_policy = 'top_trust'", _PENDING), C.DRAW, C.STATEMENT),
    a_break(
        "when the receipt was opened",
        receipt("created_at = created_at - interval '1 day'", _PENDING),
        C.DRAW,
        C.COMMITTEE_SHORT,
        C.STATEMENT,
        C.RECEIPT_ORIGIN,
    ),
)

_STATEMENTS = (
    *(
        a_break(f"a receipt's {name}", receipt(f"{name} = {value}", where), C.STATEMENT, *also)
        for name, value, where, also in (
            ("intent_id", "'other'", _PENDING, (C.RECEIPT_ORIGIN,)),
            ("intent_type", "'OTHER'", _PENDING, ()),
            ("outputs_ref", "'other'", _PENDING, (C.RECEIPT_ORIGIN,)),
            ("metrics", "metrics || '{\"latency_ms\": true}'", _PENDING, ()),
            ("k", "4", _PENDING, ()),
            ("quorum_mode", "'committee_plus_client'", _PENDING, ()),
            ("amount_atomic", "amount_atomic + 1", "amount_atomic = 9000", (C.RECEIPT_ORIGIN,)),
        )
    ),
    a_break("a receipt's statement", receipt("statement = statement || ' '", _PENDING), C.STATEMENT, C.STATEMENT_HASH),
    a_break("a receipt's statement that is gone", receipt("statement = NULL", _PENDING), C.STATEMENT),
    a_break("a receipt's hash", receipt("statement_hash = sha256('')", _PENDING), C.STATEMENT_HASH),
    a_break("a receipt's hash that is gone", receipt("statement_hash = NULL", _PENDING), C.STATEMENT_HASH),
    a_break(
        "a statement with another hash of the terms",
        restated("task_receipts", '\'"terms_hash":"\', \'"terms_hash":"0\'', _PENDING),
        C.STATEMENT,
    ),
    a_break(
        "a statement that is not canonical",
        restated("task_receipts", "'\"k\":3', '\"k\": 3'", _PENDING),
        C.STATEMENT,
    ),
    a_break("a statement that is no JSON", restated("task_receipts", "'{', '['", _PENDING), C.UNREADABLE),
    a_break(
        "a commitment",
        restated("task_receipts", '\'"seed_commitment":"\', \'"seed_commitment":"0\'', _PENDING),
        C.SEED_COMMITMENT,
    ),
    a_break(
        "a statement's committee",
        restated("task_receipts", '\'"committee":["\', \'"committee":["x\'', _PENDING),
        C.STATEMENT_COMMITTEE,
    ),
    *(
        a_break(
            f"when it was {name}",
            update("negotiations", f"{name} = {name} + interval '1 ms'", where, "task_id"),
            *found,
        )
        for name, where, found in (
            ("accepted_at", "reserved_atomic = 9000", (C.STATEMENT,)),
            ("delivered_at", "reserved_atomic = 12345", (C.STATEMENT,)),
            ("closed_at", "reserved_atomic = 9000", (C.RECEIPT_ORIGIN,)),
        )
    ),
    a_break("a row that can't be read", receipt("draw_policy = 'dice'", _PENDING), C.UNREADABLE),
    a_break("an attestation's score", attestation("score = 0.5", "type = 'SAFETY_PASS'"), C.ATTESTATION),
    a_break("an attestation's confidence", attestation("confidence = 0.5"), C.ATTESTATION),
    a_break("an attestation's evidence", attestation("evidence_ref = 'x'"), C.ATTESTATION),
    a_break("an attestation's type", attestation("type = 'QUALITY_LOW'"), C.ATTESTATION),
    a_break(
        "an attestation's receipt",
        attestation(f"task_id = (SELECT id FROM task_receipts WHERE {_PENDING})"),
        C.ATTESTATION,
    ),
    a_break(
        "an attestation's statement",
        attestation("statement = statement || ' '"),
        C.ATTESTATION,
        C.ATTESTATION_HASH,
        C.SIGNATURE,
    ),
    a_break("an attestation's statement that is gone", attestation("statement = NULL"), C.ATTESTATION),
    a_break(
        "an attestation that is no JSON", restated("task_attestations", "'{', '['", "signature IS NULL"), C.UNREADABLE
    ),
    a_break(
        "an attestation that is no object",
        update("task_attestations", "statement = '[]', statement_hash = sha256('[]')", "signature IS NULL"),
        C.UNREADABLE,
    ),
    a_break("an attestation's hash", attestation("statement_hash = sha256('')"), C.ATTESTATION_HASH),
    a_break("an attestation's signature", attestation("signature = repeat('A', 86) || '=='"), C.SIGNATURE),
    a_break("a signature's key", attestation("public_key = sha256('another')", "signature IS NOT NULL"), C.SIGNATURE),
    a_break(
        "who attested",
        attestation(f"by_did = {_OUTSIDER}"),
        C.ATTESTATION,
        C.SIGNATURE,
    ),
)

_VOICES = (
    a_break("a status", receipt("status = 'finalized', finalized_at = now()", _PENDING), C.QUORUM),
    a_break("a finalized receipt that needed more", receipt("k = 4", _EXTENDED), C.QUORUM, C.STATEMENT),
    a_break(
        "a voice of the quorum that was none",
        "WITH gone AS (DELETE FROM task_attestations WHERE id = (SELECT a.id FROM task_attestations a"
        " JOIN task_receipts r ON"
        f" r.id = a.task_id WHERE {_EXTENDED} LIMIT 1) RETURNING task_id) SELECT task_id FROM gone",
        C.QUORUM,
    ),
    a_break(
        "a failure with too few voices",
        "DELETE FROM task_attestations WHERE id = (SELECT a.id FROM task_attestations a JOIN task_receipts r ON"
        f" r.id = a.task_id WHERE {_FAILED} LIMIT 1) RETURNING task_id",
        C.QUORUM,
    ),
    a_break(
        "a failure for silence that was none",
        receipt("failure = 'no_verdict', judged_at = now()", _FAILED),
        C.QUORUM,
        C.REWARD_ACCOUNT,
        C.REWARDS,
        C.AUDITOR_RECORD,
    ),
    a_break("a decision that nobody will take", receipt("decidable = false", _WAITING), C.QUORUM),
    a_break(
        "a finalized receipt that is pending again",
        receipt("status = 'pending', finalized_at = NULL", _EXTENDED),
        C.QUORUM,
    ),
    a_break("a time of finalization", receipt("finalized_at = now()", _PENDING), C.COURSE),
    a_break("a finalized receipt without its time", receipt("finalized_at = NULL", _EXTENDED), C.COURSE),
    a_break("a failure without a reason", receipt("failure = NULL", _FAILED), C.COURSE),
    a_break(
        "a judgement before the decision",
        receipt("judged_at = now()", _PENDING),
        C.COURSE,
        C.REWARD_ACCOUNT,
        C.REWARDS,
        C.AUDITOR_RECORD,
    ),
    a_break(
        "silence that was not judged",
        receipt("judged_at = NULL", "failure = 'no_verdict'"),
        C.COURSE,
        C.REWARD_ACCOUNT,
        C.REWARDS,
        C.AUDITOR_RECORD,
    ),
    a_break(
        "a verdict by an outsider",
        f"INSERT INTO task_attestations (task_id, by_did, type, score, confidence) SELECT id,"
        f" {_OUTSIDER}, 'AUDIT_PASS', 1, 1"
        f" FROM task_receipts WHERE {_PENDING} RETURNING task_id",
        C.SPEAKER,
        C.ATTESTATION,
    ),
    a_break(
        "an acceptance by a member",
        "INSERT INTO task_attestations (task_id, by_did, type, score, confidence) SELECT id, committee"
        " ->> 4, 'ACCEPTED', 1,"
        f" 1 FROM task_receipts WHERE {_PENDING} RETURNING task_id",
        C.SPEAKER,
        C.ATTESTATION,
    ),
    a_break(
        "praise by the one who worked",
        "INSERT INTO task_attestations (task_id, by_did, type) SELECT id, agent_did, 'QUALITY_HIGH'"
        " FROM task_receipts WHERE"
        f" {_PENDING} RETURNING task_id",
        C.SPEAKER,
        C.ATTESTATION,
    ),
    a_break(
        "a second verdict",
        "INSERT INTO task_attestations (task_id, by_did, type, score, confidence) SELECT task_id,"
        " by_did, 'AUDIT_FAIL', 0, 1"
        " FROM task_attestations WHERE task_id = (SELECT id FROM task_receipts WHERE amount_atomic ="
        " 9000) RETURNING task_id",
        C.ONE_VERDICT,
        C.ATTESTATION,
        C.SCHEMA,
        before=(_MANY_VERDICTS,),
    ),
)

_WORKER = "(SELECT did FROM agents WHERE id = agent_id)"
_REPUTATIONS = (
    *(
        a_break(
            f"a reputation's {name}",
            update("agent_reputation", f"{name} = 0.123456", "true", f"{_WORKER} || ' {name}'"),
            C.REPUTATION_VALUE,
        )
        for name in ("q", "t", "r", "s", "v", "i", "e", "final_t")
    ),
    *(
        a_break(
            f"the number of observations of {name}",
            update("agent_reputation", f"observations[{place}] = 99", "true", f"{_WORKER} || ' {name}'"),
            C.REPUTATION_COUNT,
        )
        for place, name in enumerate(("q", "t", "r", "s", "v", "i", "e", "final_t"), start=1)
    ),
    a_break(
        "an observation that is gone",
        "DELETE FROM reputation_observations WHERE id = (SELECT max(id) FROM reputation_observations"
        " WHERE dimension = 'q')"
        f" RETURNING {_WORKER} || ' q'",
        C.REPUTATION_COUNT,
        C.REPUTATION_VALUE,
    ),
    a_break(
        "a reputation that is gone",
        f"DELETE FROM agent_reputation WHERE clients > 0 RETURNING {_WORKER}",
        C.REPUTATION_COUNT,
        C.REPUTATION_VALUE,
        C.REPUTATION_CLIENTS,
    ),
    a_break("the number of clients", update("agent_reputation", "clients = 9", "true", _WORKER), C.REPUTATION_CLIENTS),
    a_break(
        "a client that never was",
        "INSERT INTO reputation_clients SELECT agent_id, 'did:key:z1' FROM agent_reputation WHERE clients > 0"
        f" RETURNING {_WORKER}",
        C.REPUTATION_CLIENTS,
        C.REPUTATION_CLIENT,
    ),
    a_break(
        "a client that is forgotten",
        f"DELETE FROM reputation_clients RETURNING {_WORKER}",
        C.REPUTATION_CLIENTS,
        C.REPUTATION_CLIENT,
    ),
    *(
        a_break(
            f"how often an auditor {name}", update("auditor_records", f"{name} = 99", "true", "did"), C.AUDITOR_RECORD
        )
        for name in ("agreed", "disagreed", "silent")
    ),
    a_break(
        "an auditor's record", "INSERT INTO auditor_records VALUES ('did:key:z1', 1) RETURNING did", C.AUDITOR_RECORD
    ),
)

_SEATED = "FROM task_receipts WHERE committee <> '[]'"
_SEATS = (
    a_break(
        "a seat that is not listed",
        f"UPDATE seat_listing SET listed_until = (SELECT min(created_at) {_SEATED})"
        f" RETURNING (SELECT id {_SEATED} ORDER BY created_at LIMIT 1)",
        C.SEAT,
    ),
)

_GUARDS = (
    a_break(
        "a guard that was taken down",
        "SELECT '022_add_receipt_judgement'",
        C.SCHEMA,
        before=("DROP TRIGGER task_attestations_immutable ON task_attestations",),
    ),
)

RECEIPT_BREAKS: tuple[Break, ...] = (*_DRAWS, *_STATEMENTS, *_VOICES, *_REPUTATIONS, *_SEATS, *_GUARDS)
