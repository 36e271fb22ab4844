-- name: guard
-- What a sender ($1) has to do with a receiver ($2): their standing, whether this content ($3) was sent before, a stranger's
-- first try, what the sender can spend.
SELECT now() AS now,
       c.consent_state, c.allowlist, c.message_count,
       coalesce((SELECT true FROM mail_marks m WHERE m.key = $3 AND m.until > now()), false) AS sent_before,
       (SELECT g.first_seen_at FROM greylist g WHERE g.from_did = $1 AND g.to_did = $2) AS first_seen_at,
       coalesce((SELECT a.balance + CASE WHEN a.hot THEN coalesce((SELECT sum(p.amount)::bigint FROM ledger_pending p
                                                                    WHERE p.account = a.account), 0) ELSE 0 END
                   FROM accounts a WHERE a.account = 'available:' || $1), 0) AS available
  FROM (SELECT 1) one
  LEFT JOIN contacts c ON c.owner_did = $2 AND c.peer_did = $1

-- name: first_try
-- Note a stranger's first try, or that it is the first again after $3.
INSERT INTO greylist AS g (from_did, to_did) VALUES ($1, $2)
    ON CONFLICT (from_did, to_did) DO UPDATE SET first_seen_at = now() WHERE g.first_seen_at <= now() - $3::interval

-- name: get
SELECT * FROM contacts WHERE owner_did = $1 AND peer_did = $2

-- name: page
-- An agent's contacts that were seen before a place ($2, $3), the latest first; $4 and $5 null, or only of this consent and
-- on the list or not.
SELECT * FROM contacts
 WHERE owner_did = $1 AND (last_seen_at < $2 OR (last_seen_at = $2 AND peer_did > $3))
   AND ($4::text IS NULL OR consent_state = $4) AND ($5::boolean IS NULL OR allowlist = $5)
 ORDER BY last_seen_at DESC, peer_did
 LIMIT $6

-- name: put
-- Note what an agent ($1) thinks of another ($2); a null leaves what there is, as $8 leaves out a new one.
INSERT INTO contacts AS c (owner_did, peer_did, consent_state, allowlist, alias, notes, trust_override)
SELECT $1, $2, coalesce($3, 'unknown'), coalesce($4, false), $5, $6, $7
 WHERE NOT $8
    OR (SELECT true FROM contacts known WHERE known.owner_did = $1 AND known.peer_did = $2)
    ON CONFLICT (owner_did, peer_did) DO UPDATE
   SET consent_state = coalesce($3, c.consent_state), allowlist = coalesce($4, c.allowlist), alias = coalesce($5, c.alias),
       notes = coalesce($6, c.notes), trust_override = coalesce($7, c.trust_override), updated_at = now()
RETURNING *

-- name: crowded
-- Whether an agent has written down as many contacts ($2) as it may, not counting those it has exchanged mail with.
SELECT (SELECT count(*) FROM (SELECT FROM contacts WHERE owner_did = $1 AND message_count = 0 LIMIT $2) noted) >= $2

-- name: forget_marks
-- Drop a batch of contents that may come again.
DELETE FROM mail_marks
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM mail_marks WHERE until <= now() ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED))

-- name: forget_tries
-- Drop a batch of first tries that were longer ago than $2.
DELETE FROM greylist
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM greylist WHERE first_seen_at < now() - $2::interval
                          ORDER BY first_seen_at LIMIT $1 FOR UPDATE SKIP LOCKED))
