-- An entry moves its balances in the same statement; nothing else may write them. Accounts are taken in
-- sorted order, so two statements never wait for each other in a circle.
CREATE OR REPLACE FUNCTION ledger_apply() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  moved record;
BEGIN
  FOR moved IN
    SELECT side.account, sum(side.amount)::bigint AS amount,
           sum(side.earned)::bigint AS earned, sum(side.spent)::bigint AS spent
      FROM (
        SELECT to_account AS account, amount, CASE WHEN unearned THEN 0 ELSE amount END AS earned, 0 AS spent
          FROM (SELECT p.*, p.reason IN ('welcome_grant', 'deposit', 'reserve', 'release', 'stake', 'unstake') AS unearned
                  FROM posted p) income
        UNION ALL
        SELECT from_account, -amount, 0, CASE WHEN unspent THEN 0 ELSE amount END
          FROM (SELECT p.*, p.reason IN ('reserve', 'release', 'stake', 'unstake') AS unspent
                  FROM posted p) outgo
      ) side
     GROUP BY side.account
     ORDER BY side.account
  LOOP
    -- Who spends from a hot account spends what is pending, too.
    IF moved.amount < 0 AND moved.account <> 'mint'
       AND EXISTS (SELECT FROM accounts a WHERE a.account = moved.account AND a.hot) THEN
      WITH taken AS (DELETE FROM ledger_pending p WHERE p.account = moved.account RETURNING p.amount, p.earned, p.spent)
      UPDATE accounts a
         SET balance = a.balance + s.amount, earned = a.earned + s.earned, spent = a.spent + s.spent
        FROM (SELECT sum(amount)::bigint AS amount, sum(earned)::bigint AS earned, sum(spent)::bigint AS spent
                FROM taken HAVING count(*) > 0) s
       WHERE a.account = moved.account;
    END IF;
    UPDATE accounts a
       SET balance = a.balance + moved.amount, earned = a.earned + moved.earned, spent = a.spent + moved.spent
     WHERE a.account = moved.account
       AND (NOT a.hot OR (moved.amount < 0 AND a.account <> 'mint'));
    CONTINUE WHEN FOUND;
    INSERT INTO ledger_pending (account, amount, earned, spent)
    SELECT a.account, moved.amount, moved.earned, moved.spent
      FROM accounts a
     WHERE a.account = moved.account AND a.hot;
    CONTINUE WHEN FOUND;
    INSERT INTO accounts AS a (account, balance, earned, spent)
    VALUES (moved.account, moved.amount, moved.earned, moved.spent)
    ON CONFLICT (account) DO UPDATE
       SET balance = a.balance + excluded.balance, earned = a.earned + excluded.earned, spent = a.spent + excluded.spent;
  END LOOP;
  RETURN NULL;
END $$;

DROP FUNCTION IF EXISTS ledger_gather(text);

ALTER TABLE IF EXISTS negotiations
  DROP CONSTRAINT IF EXISTS negotiations_check,
  DROP CONSTRAINT IF EXISTS negotiations_check1,
  DROP CONSTRAINT IF EXISTS negotiations_convergence_score_check,
  DROP CONSTRAINT IF EXISTS negotiations_max_rounds_check,
  DROP CONSTRAINT IF EXISTS negotiations_reserved_atomic_check,
  DROP CONSTRAINT IF EXISTS negotiations_state_check;
ALTER TABLE IF EXISTS negotiations
  ADD CONSTRAINT negotiations_check CHECK (initiator_did <> responder_did),
  ADD CONSTRAINT negotiations_check1 CHECK ((state = 'settled') = (task_id IS NOT NULL)),
  ADD CONSTRAINT negotiations_convergence_score_check CHECK (convergence_score BETWEEN 0 AND 1),
  ADD CONSTRAINT negotiations_max_rounds_check CHECK (max_rounds BETWEEN 1 AND 20),
  ADD CONSTRAINT negotiations_reserved_atomic_check CHECK (reserved_atomic >= 0),
  ADD CONSTRAINT negotiations_state_check CHECK (state IN ('initiated', 'proposed', 'counter_proposed', 'accepted', 'settled', 'rejected',
                                                         'cancelled', 'expired'));
DROP FUNCTION IF EXISTS negotiation_is_sound CASCADE;

ALTER TABLE IF EXISTS task_receipts
  DROP CONSTRAINT IF EXISTS task_receipts_k_check,
  DROP CONSTRAINT IF EXISTS task_receipts_m_check,
  DROP CONSTRAINT IF EXISTS task_receipts_seed_check,
  DROP CONSTRAINT IF EXISTS task_receipts_statement_hash_check,
  DROP CONSTRAINT IF EXISTS task_receipts_status_check;
ALTER TABLE IF EXISTS task_receipts
  ADD CONSTRAINT task_receipts_k_check CHECK (k >= 1),
  ADD CONSTRAINT task_receipts_m_check CHECK (m >= 1),
  ADD CONSTRAINT task_receipts_seed_check CHECK (length(seed) = 32),
  ADD CONSTRAINT task_receipts_statement_hash_check CHECK (length(statement_hash) = 32),
  ADD CONSTRAINT task_receipts_status_check CHECK (status IN ('pending', 'finalized', 'failed', 'disputed'));
DROP FUNCTION IF EXISTS receipt_is_sound CASCADE;

ALTER TABLE IF EXISTS task_attestations
  DROP CONSTRAINT IF EXISTS task_attestations_confidence_check,
  DROP CONSTRAINT IF EXISTS task_attestations_score_check,
  DROP CONSTRAINT IF EXISTS task_attestations_statement_hash_check;
ALTER TABLE IF EXISTS task_attestations
  ADD CONSTRAINT task_attestations_confidence_check CHECK (confidence BETWEEN 0 AND 1),
  ADD CONSTRAINT task_attestations_score_check CHECK (score BETWEEN 0 AND 1),
  ADD CONSTRAINT task_attestations_statement_hash_check CHECK (length(statement_hash) = 32);
DROP FUNCTION IF EXISTS attestation_is_sound CASCADE;

ALTER TABLE IF EXISTS agent_reputation
  DROP CONSTRAINT IF EXISTS agent_reputation_clients_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_e_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_final_t_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_i_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_observations_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_observed_at_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_q_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_r_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_s_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_t_check,
  DROP CONSTRAINT IF EXISTS agent_reputation_v_check;
ALTER TABLE IF EXISTS agent_reputation
  ADD CONSTRAINT agent_reputation_clients_check CHECK (clients >= 0),
  ADD CONSTRAINT agent_reputation_e_check CHECK (e BETWEEN 0 AND 1),
  ADD CONSTRAINT agent_reputation_final_t_check CHECK (final_t BETWEEN 0 AND 1),
  ADD CONSTRAINT agent_reputation_i_check CHECK (i BETWEEN 0 AND 1),
  ADD CONSTRAINT agent_reputation_observations_check CHECK (cardinality(observations) = 8),
  ADD CONSTRAINT agent_reputation_observed_at_check CHECK (cardinality(observed_at) = 8),
  ADD CONSTRAINT agent_reputation_q_check CHECK (q BETWEEN 0 AND 1),
  ADD CONSTRAINT agent_reputation_r_check CHECK (r BETWEEN 0 AND 1),
  ADD CONSTRAINT agent_reputation_s_check CHECK (s BETWEEN 0 AND 1),
  ADD CONSTRAINT agent_reputation_t_check CHECK (t BETWEEN 0 AND 1),
  ADD CONSTRAINT agent_reputation_v_check CHECK (v BETWEEN 0 AND 1);
DROP FUNCTION IF EXISTS reputation_is_sound CASCADE;

ALTER TABLE IF EXISTS reputation_observations
  DROP CONSTRAINT IF EXISTS reputation_observations_after_check,
  DROP CONSTRAINT IF EXISTS reputation_observations_before_check,
  DROP CONSTRAINT IF EXISTS reputation_observations_dimension_check,
  DROP CONSTRAINT IF EXISTS reputation_observations_observed_check;
ALTER TABLE IF EXISTS reputation_observations
  ADD CONSTRAINT reputation_observations_after_check CHECK (after BETWEEN 0 AND 1000000),
  ADD CONSTRAINT reputation_observations_before_check CHECK (before BETWEEN 0 AND 1000000),
  ADD CONSTRAINT reputation_observations_dimension_check CHECK (dimension IN ('q', 't', 'r', 's', 'v', 'i', 'e', 'final_t')),
  ADD CONSTRAINT reputation_observations_observed_check CHECK (observed BETWEEN 0 AND 1000000);
DROP FUNCTION IF EXISTS observation_is_sound CASCADE;
