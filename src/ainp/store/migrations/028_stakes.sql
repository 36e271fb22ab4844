-- Stakes that are withdrawn: what is asked back counts no more, and is paid when `locked_until` has passed.
-- provides: column agent_stakes.withdrawing
-- provides: column agent_stakes.withdrawal
-- provides: index idx_agent_stakes_withdrawals

-- `amount_locked` is what the account `staked:<did>` holds; `withdrawing` is the part of it that is on its way out, under
-- the id that its ledger entry will have.
ALTER TABLE agent_stakes
  ADD COLUMN IF NOT EXISTS withdrawing bigint NOT NULL DEFAULT 0 CHECK (withdrawing BETWEEN 0 AND amount_locked),
  ADD COLUMN IF NOT EXISTS withdrawal  uuid CHECK ((withdrawal IS NULL) = (withdrawing = 0));

CREATE INDEX IF NOT EXISTS idx_agent_stakes_withdrawals ON agent_stakes (locked_until) WHERE withdrawing > 0;

-- After a rollback by hand the stakes come back from their accounts; what was being withdrawn must be asked for again. What
-- the account of a stake has spent was slashed, as a withdrawal counts as neither earned nor spent.
INSERT INTO agent_stakes (agent_id, amount_locked, slashed_total)
SELECT a.id, c.balance, c.spent
  FROM accounts c JOIN agents a ON c.account = 'staked:' || a.did
ON CONFLICT (agent_id) DO NOTHING;

-- And the reputations that came back with them count observations, of which a slash is none.
UPDATE agent_reputation p
   SET observations = ARRAY(SELECT count(o.id)::integer
                              FROM unnest('{q,t,r,s,v,i,e,final_t}'::text[]) WITH ORDINALITY AS d (dimension, place)
                              LEFT JOIN reputation_observations o
                                ON o.agent_id = p.agent_id AND o.dimension = d.dimension AND o.reason <> 'slashed'
                             GROUP BY d.place ORDER BY d.place)
 WHERE p.agent_id IN (SELECT agent_id FROM reputation_observations WHERE reason = 'slashed');
