"""What must be true of the books at every moment, asked of the database itself."""

from ainp.store.db import Session

_WRONG = """
WITH told AS (
  SELECT event, body FROM outbox UNION ALL SELECT event, body FROM events
), booked AS (
  SELECT account, sum(amount)::bigint AS amount
    FROM (SELECT to_account AS account, amount FROM ledger_entries
          UNION ALL SELECT from_account, -amount FROM ledger_entries) side
   GROUP BY account
), held AS (
  SELECT a.account, a.balance + coalesce((SELECT sum(amount) FROM ledger_pending p WHERE p.account = a.account), 0)
         AS amount
    FROM accounts a
)
SELECT 'the accounts add up to ' || sum(amount) AS wrong FROM held HAVING sum(amount) <> 0
UNION ALL
SELECT account || ' is negative: ' || amount FROM held WHERE amount < 0 AND account <> 'mint'
UNION ALL
SELECT account || ' holds ' || coalesce(h.amount, 0) || ', its entries say ' || coalesce(b.amount, 0)
  FROM held h FULL JOIN booked b USING (account) WHERE coalesce(h.amount, 0) <> coalesce(b.amount, 0)
UNION ALL
SELECT 'pending for ' || p.account || ', which is not hot' FROM ledger_pending p
 WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.account = p.account AND a.hot)
UNION ALL
SELECT 'reserved for nobody by ' || h.account || ': ' || h.amount || ', negotiations say ' || n.amount
  FROM held h,
       LATERAL (SELECT coalesce(sum(reserved_atomic), 0) AS amount FROM negotiations
                 WHERE state = 'accepted' AND 'reserved:' || initiator_did = h.account) n
 WHERE h.account LIKE 'reserved:%' AND h.amount <> n.amount
UNION ALL
SELECT 'staked by ' || account || ': ' || coalesce(h.amount, 0) || ', its stake says ' || coalesce(k.amount, 0)
  FROM (SELECT * FROM held WHERE account LIKE 'staked:%') h
  FULL JOIN (SELECT 'staked:' || a.did AS account, s.amount_locked AS amount
               FROM agent_stakes s JOIN agents a ON a.id = s.agent_id) k USING (account)
 WHERE coalesce(h.amount, 0) <> coalesce(k.amount, 0)
UNION ALL
SELECT 'negotiation ' || n.id || ' is settled without a receipt' FROM negotiations n
 WHERE n.state = 'settled' AND NOT EXISTS (SELECT FROM task_receipts r WHERE r.id = n.task_id)
UNION ALL
SELECT 'receipt ' || r.id || ' of a negotiation that is not settled' FROM task_receipts r
  JOIN negotiations n ON n.id = r.negotiation_id WHERE n.state <> 'settled' OR n.task_id <> r.id
UNION ALL
SELECT 'receipt ' || r.id || ' is finalized by ' || passed.count || ' of ' || r.k FROM task_receipts r,
       LATERAL (SELECT count(DISTINCT a.by_did) FROM task_attestations a
                 WHERE a.task_id = r.id AND a.type = 'AUDIT_PASS' AND NOT a.late AND r.committee ? a.by_did) passed
 WHERE r.status = 'finalized' AND passed.count < r.k
UNION ALL
SELECT 'receipt ' || (body ->> 'task_id') || ' was ' || event || ' ' || count(*) || ' times' FROM told
 WHERE event IN ('receipt.opened', 'receipt.finalized', 'receipt.failed', 'receipt.judged')
 GROUP BY body ->> 'task_id', event HAVING count(*) > 1
UNION ALL
SELECT 'receipt ' || (body ->> 'task_id') || ' was finalized and failed' FROM told
 WHERE event IN ('receipt.finalized', 'receipt.failed') GROUP BY body ->> 'task_id' HAVING count(*) > 1
UNION ALL
SELECT 'receipt ' || r.id || ' was judged and its reward account holds ' || h.amount FROM task_receipts r
  JOIN held h ON h.account = 'reward:' || r.id WHERE r.judged_at IS NOT NULL AND h.amount <> 0
UNION ALL
SELECT 'reputation of ' || p.agent_id || ' counts ' || p.observations::text FROM agent_reputation p
 WHERE p.observations <> ARRAY(
         SELECT (SELECT count(*)::int FROM reputation_observations o
                  WHERE o.agent_id = p.agent_id AND o.dimension = d.name AND o.reason <> 'slashed')
           FROM unnest('{q,t,r,s,v,i,e,final_t}'::text[]) WITH ORDINALITY AS d (name, place) ORDER BY d.place)
    OR p.clients <> (SELECT count(*) FROM reputation_clients c WHERE c.agent_id = p.agent_id)
"""


async def wrong(db: Session) -> list[str]:
    """Everything that contradicts itself; empty if the books are in order."""
    return [row["wrong"] for row in await db.fetch(_WRONG)]
