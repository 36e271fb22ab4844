-- name: post
-- Book entries; the trigger moves the balances.
INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
SELECT * FROM json_to_recordset($1::json)
         said (key text, source text, target text, amount bigint, reason text, reference text)

-- name: balances
-- An agent's accounts; a hot account's pending income counts.
SELECT split_part(a.account, ':', 1) AS kind,
       a.balance + coalesce(p.amount, 0) AS balance,
       a.earned + coalesce(p.earned, 0) AS earned,
       a.spent + coalesce(p.spent, 0) AS spent
  FROM accounts a
  LEFT JOIN LATERAL (SELECT sum(amount)::bigint AS amount, sum(earned)::bigint AS earned, sum(spent)::bigint AS spent
                       FROM ledger_pending WHERE a.hot AND account = a.account) p ON true
 WHERE a.account = ANY (ARRAY['available:' || $1::text, 'reserved:' || $1::text, 'staked:' || $1::text])

-- name: transactions
-- An agent's entries, newest first: the newest of each account and direction by its index, then the page of those.
-- An entry between two accounts of the agent is found twice and shown once.
SELECT e.id, e.from_account, e.to_account, e.amount, e.reason, e.reference, e.created_at
  FROM (SELECT DISTINCT found.id
          FROM unnest($1::text[]) AS own (account),
               LATERAL ((SELECT id FROM ledger_entries
                          WHERE from_account = own.account AND from_account NOT IN ('mint', 'fees', 'pool')
                          ORDER BY id DESC LIMIT $2::bigint + $3::bigint)
                        UNION ALL
                        (SELECT id FROM ledger_entries
                          WHERE to_account = own.account AND to_account NOT IN ('mint', 'fees', 'pool')
                          ORDER BY id DESC LIMIT $2::bigint + $3::bigint)) found
         ORDER BY found.id DESC
         LIMIT $2 OFFSET $3) page
  JOIN ledger_entries e ON e.id = page.id
 ORDER BY e.id DESC

-- name: mark_hot
-- Let an account take income without a lock on its row.
INSERT INTO accounts (account, hot) VALUES ($1, true) ON CONFLICT (account) DO UPDATE SET hot = true

-- name: roll_up
-- Fold pending movements of hot accounts into their balances.
WITH taken AS (
  DELETE FROM ledger_pending RETURNING account, amount, earned, spent
), summed AS (
  SELECT account, sum(amount)::bigint AS amount, sum(earned)::bigint AS earned, sum(spent)::bigint AS spent
    FROM taken GROUP BY account
), locked AS MATERIALIZED (
  SELECT a.account FROM accounts a JOIN summed USING (account) ORDER BY a.account FOR UPDATE OF a
), folded AS (
  UPDATE accounts a
     SET balance = a.balance + s.amount, earned = a.earned + s.earned, spent = a.spent + s.spent
    FROM summed s JOIN locked USING (account)
   WHERE a.account = s.account
)
SELECT count(*) FROM taken
