-- name: begin
-- What is looked at takes as long as it takes, whatever the role's limits are.
SELECT set_config(name, '0', true) FROM pg_settings
 WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')

-- Each of the following gives a row for every fact that is wrong: what was to be proven, of what, what was found, and
-- what follows from everything else.

-- name: ledger_sum
-- Credits only move: all accounts together hold nothing.
SELECT 'ledger-sum' AS proof, 'all accounts together' AS subject, total::text AS found, '0' AS expected
  FROM (SELECT (SELECT coalesce(sum(balance), 0) FROM accounts)
             + (SELECT coalesce(sum(amount), 0) FROM ledger_pending) AS total) t
 WHERE total <> 0

-- name: accounts
-- What an account holds, with what is pending, is what its entries add up to; only the mint may owe.
WITH side AS (
  SELECT to_account AS account, amount AS balance,
         CASE WHEN reason IN ('welcome_grant', 'deposit', 'reserve', 'release', 'stake', 'unstake') THEN 0 ELSE amount
          END AS earned,
         0::bigint AS spent
    FROM ledger_entries
  UNION ALL
  SELECT from_account, -amount, 0,
         CASE WHEN reason IN ('reserve', 'release', 'stake', 'unstake') THEN 0 ELSE amount END
    FROM ledger_entries
), booked AS (
  SELECT account, sum(balance) AS balance, sum(earned) AS earned, sum(spent) AS spent FROM side GROUP BY account
), held AS (
  SELECT account, sum(balance) AS balance, sum(earned) AS earned, sum(spent) AS spent
    FROM (SELECT account, balance, earned, spent FROM accounts
          UNION ALL
          SELECT account, amount, earned, spent FROM ledger_pending) part
   GROUP BY account
), compared AS (
  SELECT account,
         coalesce(h.balance, 0) AS balance, coalesce(h.earned, 0) AS earned, coalesce(h.spent, 0) AS spent,
         coalesce(b.balance, 0) AS booked, coalesce(b.earned, 0) AS booked_earned, coalesce(b.spent, 0) AS booked_spent
    FROM held h FULL JOIN booked b USING (account)
)
SELECT fact.proof, c.account AS subject, fact.found::text AS found, fact.expected
  FROM compared c
 CROSS JOIN LATERAL (VALUES
         ('account-balance', balance, booked || ' by its entries', balance <> booked),
         ('account-earned', earned, booked_earned || ' by its entries', earned <> booked_earned),
         ('account-spent', spent, booked_spent || ' by its entries', spent <> booked_spent),
         ('account-negative', balance, '0 or more', balance < 0 AND account <> 'mint')
       ) AS fact (proof, found, expected, wrong)
 WHERE fact.wrong

-- name: pending_accounts
-- Only a hot account's pending movements are counted and rolled up.
SELECT 'pending-account' AS proof, p.account AS subject,
       sum(p.amount) || ' pending, the account is ' || CASE WHEN a.account IS NULL THEN 'missing' ELSE 'not hot' END
         AS found,
       'a hot account' AS expected
  FROM ledger_pending p
  LEFT JOIN accounts a ON a.account = p.account
 WHERE a.hot IS NOT TRUE
 GROUP BY p.account, a.account

-- name: reserved_accounts
-- What an agent has reserved is what it promised in negotiations that are accepted and not ended.
SELECT 'reserved-account' AS proof, account AS subject, coalesce(h.balance, 0)::text AS found,
       coalesce(p.promised, 0) || ' by its accepted negotiations' AS expected
  FROM (SELECT account, sum(balance) AS balance
          FROM (SELECT account, balance FROM accounts UNION ALL SELECT account, amount FROM ledger_pending) part
         WHERE account LIKE 'reserved:%'
         GROUP BY account) h
  FULL JOIN (SELECT 'reserved:' || initiator_did AS account, sum(reserved_atomic) AS promised
               FROM negotiations WHERE state = 'accepted' GROUP BY initiator_did) p USING (account)
 WHERE coalesce(h.balance, 0) <> coalesce(p.promised, 0)

-- name: entry_accounts
-- Reservations, releases and settlements move the initiator's credits, of a negotiation that exists.
SELECT 'entry-accounts' AS proof, 'ledger entry ' || e.key AS subject,
       'from ' || e.from_account || ' to ' || e.to_account AS found,
       CASE WHEN n.id IS NULL THEN 'a negotiation ' || coalesce(e.reference, '')
            WHEN e.reason = 'reserve' THEN 'from available to reserved of ' || n.initiator_did
            WHEN e.reason = 'release' THEN 'from reserved to available of ' || n.initiator_did
            ELSE 'from reserved of ' || n.initiator_did
        END AS expected
  FROM ledger_entries e
  LEFT JOIN negotiations n ON n.id::text = e.reference
 WHERE e.reason IN ('reserve', 'release', 'settlement')
   AND CASE WHEN n.id IS NULL THEN true
            WHEN e.reason = 'reserve' THEN (e.from_account, e.to_account)
                                        <> ('available:' || n.initiator_did, 'reserved:' || n.initiator_did)
            WHEN e.reason = 'release' THEN (e.from_account, e.to_account)
                                        <> ('reserved:' || n.initiator_did, 'available:' || n.initiator_did)
            ELSE e.from_account <> 'reserved:' || n.initiator_did
        END

-- name: movements
-- Each negotiation's price was reserved; what ended without a settlement was given back, what was settled was paid.
WITH booked AS (
  SELECT reference,
         coalesce(sum(amount) FILTER (WHERE reason = 'reserve'), 0) AS reserved,
         coalesce(sum(amount) FILTER (WHERE reason = 'release'), 0) AS released,
         coalesce(sum(amount) FILTER (WHERE reason = 'settlement'), 0) AS paid
    FROM ledger_entries
   WHERE reason IN ('reserve', 'release', 'settlement')
   GROUP BY reference
)
SELECT fact.proof, 'negotiation ' || n.id AS subject, fact.found || ' by its entries' AS found,
       fact.expected || ' as it is ' || n.state AS expected
  FROM negotiations n
  LEFT JOIN booked b ON b.reference = n.id::text
 CROSS JOIN LATERAL (VALUES
         ('reservation', coalesce(b.reserved, 0), n.reserved_atomic),
         ('release', coalesce(b.released, 0),
          CASE WHEN n.state IN ('rejected', 'cancelled', 'expired') THEN n.reserved_atomic ELSE 0 END),
         ('settlement', coalesce(b.paid, 0), CASE WHEN n.state = 'settled' THEN n.reserved_atomic ELSE 0 END)
       ) AS fact (proof, found, expected)
 WHERE fact.found <> fact.expected

-- name: receipts_of_negotiations
-- Exactly one receipt of each settled negotiation, the one it names; none of others, and none of nothing.
SELECT 'receipt-per-settlement' AS proof,
       coalesce('negotiation ' || n.id, 'receipts of negotiation ' || r.negotiation_id, 'receipts') AS subject,
       CASE WHEN r.number IS NULL THEN 'no receipt' ELSE r.number || ', from ' || r.first || ' on' END AS found,
       CASE WHEN n.state = 'settled' THEN 'one receipt, ' || n.task_id
            WHEN n.id IS NULL THEN 'none without a negotiation'
            ELSE 'none as it is ' || n.state
        END AS expected
  FROM negotiations n
  FULL JOIN (SELECT negotiation_id, count(*) AS number, min(id::text) AS first
               FROM task_receipts GROUP BY negotiation_id) r ON r.negotiation_id = n.id
 WHERE CASE WHEN n.state = 'settled' THEN (r.number, r.first) IS DISTINCT FROM (1, n.task_id::text)
            ELSE r.number IS NOT NULL
        END

-- name: distributions
-- A settlement's entries are the parts that its receipt names, to those it names. The validator's share goes to the
-- receipt's reward account where the receipt says `reward`.
SELECT 'distribution' AS proof, 'receipt ' || r.id || ' ' || part.name AS subject,
       coalesce(e.amount, 0) || ' by its entries' AS found,
       coalesce(r.distribution ->> part.name, '0') || ' by the receipt' AS expected
  FROM task_receipts r
 CROSS JOIN LATERAL (VALUES
         ('agent', 'agent', 'available:' || r.agent_did, NULL), ('pool', 'pool', 'pool', NULL),
         ('broker', 'broker', 'fees', 'available:%'), ('validator', 'validator', NULL, 'available:%'),
         ('reward', 'validator', 'reward:' || r.id, NULL)
       ) AS part (name, key, account, or_like)
  LEFT JOIN ledger_entries e
    ON e.key = 'settle:' || r.negotiation_id || ':' || part.key
   AND (e.to_account = part.account OR e.to_account LIKE part.or_like)
 WHERE r.negotiation_id IS NOT NULL
   AND coalesce(e.amount, 0)::text <> coalesce(r.distribution ->> part.name, '0')

-- name: reward_accounts
-- A receipt's reward waits until it is judged, and then all of it is gone.
SELECT 'reward-account' AS proof, account AS subject, coalesce(h.balance, 0)::text AS found,
       coalesce(r.owed, '0') || CASE WHEN r.judged THEN ' as it is judged'
                                     WHEN r.judged IS NULL THEN ' without a receipt'
                                     ELSE ' until it is judged' END AS expected
  FROM (SELECT account, sum(balance) AS balance
          FROM (SELECT account, balance FROM accounts UNION ALL SELECT account, amount FROM ledger_pending) part
         WHERE account LIKE 'reward:%'
         GROUP BY account) h
  FULL JOIN (SELECT 'reward:' || id AS account, judged_at IS NOT NULL AS judged,
                    CASE WHEN judged_at IS NULL THEN coalesce(distribution ->> 'reward', '0') ELSE '0' END AS owed
               FROM task_receipts) r USING (account)
 WHERE coalesce(h.balance, 0)::text <> coalesce(r.owed, '0')

-- name: staked_accounts
-- What an agent has staked is what its stake says is locked, and what left it to the pool is what was slashed.
WITH entered AS (
  SELECT account, sum(slashed) AS slashed
    FROM (SELECT from_account AS account, amount AS slashed FROM ledger_entries WHERE reason = 'slash') e
   GROUP BY account
), held AS (
  SELECT account, sum(balance) AS balance
    FROM (SELECT account, balance FROM accounts UNION ALL SELECT account, amount FROM ledger_pending) part
   WHERE account LIKE 'staked:%'
   GROUP BY account
)
SELECT fact.proof, account AS subject, fact.found::text || ' by its stake' AS found,
       fact.expected || ' by its account' AS expected
  FROM (SELECT 'staked:' || a.did AS account, k.amount_locked, k.slashed_total
          FROM agent_stakes k JOIN agents a ON a.id = k.agent_id) k
  FULL JOIN held USING (account)
  FULL JOIN entered USING (account)
 CROSS JOIN LATERAL (VALUES
         ('staked-account', coalesce(k.amount_locked, 0), coalesce(held.balance, 0)),
         ('slashed-total', coalesce(k.slashed_total, 0), coalesce(entered.slashed, 0))
       ) AS fact (proof, found, expected)
 WHERE fact.found <> fact.expected

-- name: stake_entries
-- Stakes, withdrawals and slashes move an agent's own credits, and slashes end in the pool.
SELECT 'stake-entry' AS proof, 'ledger entry ' || e.key AS subject,
       'from ' || e.from_account || ' to ' || e.to_account AS found,
       CASE e.reason WHEN 'stake' THEN 'from available to staked of one agent'
                     WHEN 'unstake' THEN 'from staked to available of one agent'
                     ELSE 'from staked to pool' END AS expected
  FROM ledger_entries e
 WHERE e.reason IN ('stake', 'unstake', 'slash')
   AND CASE e.reason
         WHEN 'stake' THEN e.from_account NOT LIKE 'available:%'
                           OR e.to_account <> replace(e.from_account, 'available:', 'staked:')
         WHEN 'unstake' THEN e.from_account NOT LIKE 'staked:%'
                             OR e.to_account <> replace(e.from_account, 'staked:', 'available:')
         ELSE e.from_account NOT LIKE 'staked:%' OR e.to_account <> 'pool'
       END

-- name: withdrawals
-- A withdrawal has a time when it is paid, and was not paid yet.
SELECT 'withdrawal' AS proof, 'agent ' || a.did AS subject,
       CASE WHEN e.key IS NOT NULL THEN k.withdrawing || ' under way, paid as ' || e.key
            WHEN k.locked_until IS NULL THEN k.withdrawing || ' under way until no time'
            ELSE 'locked until ' || k.locked_until END AS found,
       'a time with what is under way, and nothing paid' AS expected
  FROM agent_stakes k
  JOIN agents a ON a.id = k.agent_id
  LEFT JOIN ledger_entries e ON e.key = 'unstake:' || k.withdrawal
 WHERE (k.withdrawing > 0) <> (k.locked_until IS NOT NULL) OR e.key IS NOT NULL

-- name: slashes
-- Each slash that took something lowered every value of its agent's reputation, and so did each that took nothing.
SELECT 'slash-reputation' AS proof, 'slash ' || coalesce(o.id::text, e.reference) AS subject,
       coalesce(o.number, 0) || ' dimensions of ' || coalesce(o.did, 'nobody') AS found,
       '8 dimensions of ' || coalesce(replace(e.from_account, 'staked:', ''), o.did) AS expected
  FROM (SELECT task_id AS id, min(a.did) AS did, count(*) AS number
          FROM reputation_observations r JOIN agents a ON a.id = r.agent_id
         WHERE r.reason = 'slashed' GROUP BY task_id) o
  FULL JOIN (SELECT reference, from_account FROM ledger_entries WHERE reason = 'slash') e ON e.reference = o.id::text
 WHERE o.number IS DISTINCT FROM 8 OR 'staked:' || o.did <> e.from_account

-- name: payment_entries
-- Each request that was paid is one entry, as its method has it; nothing else is booked as a payment.
SELECT 'payment-entry' AS proof, 'payment request ' || coalesce(p.id::text, e.reference, e.key) AS subject,
       coalesce(e.amount || ' from ' || e.from_account || ' to ' || e.to_account, 'no entry') AS found,
       CASE WHEN p.status = 'paid'
            THEN p.amount_atomic || ' from ' || p.source || ' to ' || p.target
            ELSE 'no entry as it is ' || coalesce(p.status, 'unknown') END AS expected
  FROM (SELECT r.*, 'payment:' || r.method || ':' || r.id AS key,
               CASE WHEN r.payee_did IS NULL THEN 'mint' ELSE 'available:' || r.owner_did END AS source,
               'available:' || coalesce(r.payee_did, r.owner_did) AS target
          FROM payment_requests r) p
  FULL JOIN (SELECT * FROM ledger_entries WHERE key LIKE 'payment:%') e USING (key)
 WHERE (p.status = 'paid') IS NOT TRUE AND e.key IS NOT NULL
    OR p.status = 'paid' AND (e.amount, e.from_account, e.to_account, e.reference)
                             IS DISTINCT FROM (p.amount_atomic, p.source, p.target, p.id::text)

-- name: payment_receipts
-- And it has the receipt of its provider, for that much or more.
SELECT 'payment-receipt' AS proof, 'payment request ' || p.id AS subject,
       coalesce(r.amount_atomic || ' by ' || r.provider, 'no receipt') AS found,
       CASE p.status WHEN 'paid' THEN p.amount_atomic || ' by ' || p.method ELSE 'none as it is ' || p.status END AS expected
  FROM payment_requests p LEFT JOIN payment_receipts r ON r.request_id = p.id
 WHERE CASE p.status WHEN 'paid' THEN (r.amount_atomic >= p.amount_atomic AND r.provider = p.method) IS NOT TRUE
                     ELSE r.id IS NOT NULL END

-- name: reward_hours
-- What an hour of usefulness has cost is what its entries add up to, and rewards are of an hour that was paid.
SELECT 'reward-hour' AS proof, 'hour ' || coalesce(h.name, b.reference, 'unknown') AS subject,
       format('%s atomic units, %s of the pool, for %s agents', coalesce(h.total, 0), coalesce(h.from_pool, 0),
              coalesce(h.recipients, 0)) AS found,
       format('%s atomic units, %s of the pool, for %s agents by its entries', coalesce(b.total, 0),
              coalesce(b.from_pool, 0), coalesce(b.recipients, 0)) AS expected
  FROM (SELECT total, from_pool, recipients, to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"+00:00"') AS name
          FROM reward_hours) h
  FULL JOIN (SELECT reference, sum(amount) AS total, sum(amount) FILTER (WHERE from_account = 'pool') AS from_pool,
                    count(DISTINCT to_account) AS recipients
               FROM ledger_entries WHERE reason = 'usefulness_reward' GROUP BY reference) b ON b.reference = h.name
 WHERE (coalesce(h.total, 0), coalesce(h.from_pool, 0), coalesce(h.recipients, 0))
    <> (coalesce(b.total, 0), coalesce(b.from_pool, 0), coalesce(b.recipients, 0))

-- name: reward_entries
-- A reward for an hour's usefulness goes from the pool or the mint to an agent, once from each: its key says so.
SELECT 'reward-entry' AS proof, 'ledger entry ' || key AS subject,
       format('from %s to %s for %s', from_account, to_account, reference) AS found,
       'from pool or mint to available, of the agent and the hour that its key names' AS expected
  FROM ledger_entries
 WHERE reason = 'usefulness_reward'
   AND (from_account NOT IN ('pool', 'mint') OR to_account NOT LIKE 'available:%'
        OR key IS DISTINCT FROM 'usefulness:' || reference || ':' || substr(to_account, length('available:') + 1)
                                || ':' || from_account)

-- name: usefulness_totals
-- As many proofs of an agent are counted as there are, and the last is the last.
SELECT 'usefulness-total' AS proof, 'agent ' || agent_did AS subject,
       format('%s proofs, the last at %s', coalesce(t.proofs, 0), t.last_proof_at) AS found,
       format('%s proofs, the last at %s', coalesce(p.proofs, 0), p.last_proof_at) AS expected
  FROM usefulness_totals t
  FULL JOIN (SELECT agent_did, count(*) AS proofs, max(created_at) AS last_proof_at
               FROM usefulness_proofs GROUP BY agent_did) p USING (agent_did)
 WHERE (coalesce(t.proofs, 0), t.last_proof_at) IS DISTINCT FROM (coalesce(p.proofs, 0), p.last_proof_at)

-- name: reputations
-- A value is what its newest observation left, and every observation is counted; a slash is none.
WITH newest AS (
  SELECT DISTINCT ON (agent_id, dimension) agent_id, dimension, after
    FROM reputation_observations ORDER BY agent_id, dimension, id DESC
), observed AS (
  SELECT agent_id, dimension, newest.after, counted.number
    FROM newest
    JOIN (SELECT agent_id, dimension, count(*) FILTER (WHERE reason <> 'slashed') AS number
            FROM reputation_observations GROUP BY agent_id, dimension) counted USING (agent_id, dimension)
), kept AS (
  SELECT p.agent_id, d.dimension, (d.value * 1000000)::bigint AS value, d.number
    FROM agent_reputation p
   CROSS JOIN LATERAL (VALUES
           ('q', p.q, p.observations[1]), ('t', p.t, p.observations[2]), ('r', p.r, p.observations[3]),
           ('s', p.s, p.observations[4]), ('v', p.v, p.observations[5]), ('i', p.i, p.observations[6]),
           ('e', p.e, p.observations[7]), ('final_t', p.final_t, p.observations[8])
         ) AS d (dimension, value, number)
)
SELECT fact.proof, 'agent ' || coalesce(a.did, agent_id::text) || ' ' || dimension AS subject,
       coalesce(fact.found::text, 'no reputation') AS found, fact.expected || ' by its observations' AS expected
  FROM kept FULL JOIN observed USING (agent_id, dimension)
  LEFT JOIN agents a ON a.id = agent_id
 CROSS JOIN LATERAL (VALUES
         ('reputation-value', kept.value, coalesce(observed.after, 500000)),
         ('reputation-count', kept.number, coalesce(observed.number, 0))
       ) AS fact (proof, found, expected)
 WHERE fact.found IS DISTINCT FROM fact.expected

-- name: reputation_clients
-- The number of an agent's clients is the number of those that are known.
SELECT 'reputation-clients' AS proof, 'agent ' || coalesce(a.did, agent_id::text) AS subject,
       coalesce(p.clients::text, 'no reputation') AS found, coalesce(c.number, 0) || ' known clients' AS expected
  FROM agent_reputation p
  FULL JOIN (SELECT agent_id, count(*) AS number FROM reputation_clients GROUP BY agent_id) c USING (agent_id)
  LEFT JOIN agents a ON a.id = agent_id
 WHERE p.clients IS DISTINCT FROM coalesce(c.number, 0)

-- name: known_clients
-- Who is known as a client had a receipt of that agent finalized and judged that counts, and whoever had is known.
SELECT 'reputation-client' AS proof, 'agent ' || coalesce(a.did, agent_id::text) AS subject,
       CASE WHEN c.known THEN client_did ELSE 'not ' || client_did END AS found,
       CASE WHEN r.had THEN client_did ELSE 'a judged receipt of it' END AS expected
  FROM (SELECT agent_id, client_did, true AS known FROM reputation_clients) c
  FULL JOIN (SELECT DISTINCT w.id AS agent_id, t.client_did, true AS had
               FROM task_receipts t JOIN agents w ON w.did = t.agent_did
              WHERE t.status = 'finalized' AND t.judged_at IS NOT NULL AND t.counts AND t.client_did IS NOT NULL) r
       USING (agent_id, client_did)
  LEFT JOIN agents a ON a.id = agent_id
 WHERE c.known IS NULL OR r.had IS NULL

-- name: auditor_records
-- How often a member agreed, disagreed or was silent follows from the judged receipts that it was drawn for.
WITH drawn AS (
  SELECT seat.did, r.status, r.failure, a.type
    FROM task_receipts r
   CROSS JOIN LATERAL jsonb_array_elements_text(
           CASE WHEN jsonb_typeof(r.committee) = 'array' THEN r.committee ELSE '[]' END) AS seat (did)
    LEFT JOIN task_attestations a
      ON a.task_id = r.id AND a.by_did = seat.did AND a.type IN ('AUDIT_PASS', 'AUDIT_FAIL')
   WHERE r.judged_at IS NOT NULL
), due AS (
  SELECT did,
         count(*) FILTER (WHERE held AND (type = 'AUDIT_PASS') = (status = 'finalized')) AS agreed,
         count(*) FILTER (WHERE held AND (type = 'AUDIT_PASS') <> (status = 'finalized')) AS disagreed,
         count(*) FILTER (WHERE type IS NULL) AS silent
    FROM (SELECT *, type IS NOT NULL AND failure IS DISTINCT FROM 'no_verdict' AS held FROM drawn) d
   GROUP BY did
)
SELECT 'auditor-record' AS proof, 'agent ' || did AS subject,
       format('%s agreed, %s disagreed, %s silent',
              coalesce(k.agreed, 0), coalesce(k.disagreed, 0), coalesce(k.silent, 0)) AS found,
       format('%s agreed, %s disagreed, %s silent',
              coalesce(due.agreed, 0), coalesce(due.disagreed, 0), coalesce(due.silent, 0)) AS expected
  FROM auditor_records k FULL JOIN due USING (did)
 WHERE (coalesce(k.agreed, 0), coalesce(k.disagreed, 0), coalesce(k.silent, 0))
    <> (coalesce(due.agreed, 0), coalesce(due.disagreed, 0), coalesce(due.silent, 0))

-- name: cohorts
-- Agents of a cohort that is closed have nothing; what was lent and what came back is what the entries say.
WITH booked AS (
  SELECT reference, sum(amount) FILTER (WHERE reason = 'deposit') AS lent,
         sum(amount) FILTER (WHERE reason = 'cohort_return') AS returned
    FROM ledger_entries WHERE key LIKE 'cohort:%' GROUP BY reference
), kept AS (
  SELECT a.cohort, sum(x.balance) AS balance
    FROM agents a JOIN accounts x ON x.account IN ('available:' || a.did, 'reserved:' || a.did)
   WHERE a.cohort IS NOT NULL GROUP BY a.cohort
)
SELECT 'cohort' AS proof, 'cohort ' || c.id AS subject, fact.found || fact.of AS found, fact.expected || fact.of AS expected
  FROM cohorts c
  LEFT JOIN booked b ON b.reference = c.id::text
  LEFT JOIN kept k ON k.cohort = c.id
 CROSS JOIN LATERAL (VALUES
         (c.lent_atomic, coalesce(b.lent, 0), ' lent'),
         (coalesce(c.returned_atomic, 0), coalesce(b.returned, 0), ' returned'),
         (CASE WHEN c.closed_at IS NULL THEN 0 ELSE coalesce(k.balance, 0) END, 0, ' kept')
       ) AS fact (found, expected, of)
 WHERE fact.found <> fact.expected

-- The following stream what is proven row by row.

-- name: seats
-- All seats of receipts up to the time that was reached are listed.
SELECT 'seat' AS proof, 'receipt ' || r.id AS subject, 'no seat of ' || said.did AS found,
       'all of its committee, as receipts are listed until ' || s.listed_until AS expected
  FROM seat_listing s
  JOIN task_receipts r ON r.created_at <= s.listed_until, jsonb_array_elements_text(r.committee) said (did)
 WHERE NOT EXISTS (SELECT FROM receipt_seats l
                    WHERE l.member = substr(sha256(convert_to(said.did, 'UTF8')), 1, 8)
                      AND l.created_at = r.created_at AND l.task_id = r.id)

-- name: count_negotiations
SELECT count(*) FROM negotiations

-- name: negotiations
SELECT * FROM negotiations ORDER BY id

-- name: count_epochs
SELECT count(*) FROM committee_epochs

-- name: epochs
SELECT id, created_at, population, hash, members, weights, registered_at FROM committee_epochs ORDER BY id

-- name: count_receipts
SELECT count(*) FROM task_receipts

-- name: receipts
-- A receipt with its negotiation, what was said about it, and what its reward account paid. Their ids follow time, so
-- the same few epochs serve a page.
SELECT r.*, n.id AS origin_id, n.intent_id AS origin_intent_id, n.initiator_did, n.responder_did, n.reserved_atomic,
       n.delivery ->> 'outputs_ref' AS delivered_ref, n.seed AS origin_seed,
       n.rounds -> -1 ->> 'terms_hash' AS terms_hash, n.rounds -> -1 ->> 'proposer_did' AS proposer_did,
       n.rounds -> -1 ->> 'signature' AS terms_signature, n.rounds -> -1 ->> 'countersignature' AS terms_countersignature,
       n.accepted_at, n.delivered_at, n.closed_at,
       coalesce((SELECT json_agg(json_build_object('by', a.by_did, 'type', a.type, 'score', a.score,
                                                   'confidence', a.confidence) ORDER BY a.created_at, a.id)
                   FROM task_attestations a WHERE a.task_id = r.id), '[]') AS said,
       coalesce((SELECT json_agg(json_build_object('key', e.key, 'target', e.to_account, 'amount', e.amount,
                                                   'reason', e.reason))
                   FROM ledger_entries e
                  WHERE e.from_account = 'reward:' || r.id
                    AND e.from_account NOT IN ('mint', 'fees', 'pool')), '[]') AS paid  -- as its index says
  FROM task_receipts r
  LEFT JOIN negotiations n ON n.id = r.negotiation_id
 ORDER BY r.id

-- name: count_attestations
SELECT count(*) FROM task_attestations

-- name: attestations
SELECT id, task_id, by_did, type, (score * 1000000)::int AS score, (confidence * 1000000)::int AS confidence,
       evidence_ref, signature, public_key, statement, statement_hash
  FROM task_attestations
