-- The ledger: entries that never change, and the balances they add up to.
-- provides: table accounts
-- provides: table ledger_entries
-- provides: table ledger_pending
-- provides: table welcome_grants
-- provides: function ledger_apply
-- provides: function refuse_change
-- provides: trigger ledger_entries.ledger_entries_apply
-- provides: trigger ledger_entries.ledger_entries_immutable
-- provides: index idx_ledger_entries_from
-- provides: index idx_ledger_entries_to

-- An account is an address: `available:<did>`, `reserved:<did>`, `staked:<did>`, `reward:<task id>`,
-- `mint`, `fees`, `pool`. Only the mint may be negative: it is where credits come from.
-- A hot account takes income as rows in ledger_pending, so that no settlement waits for another's row lock.
CREATE TABLE IF NOT EXISTS accounts (
  account text PRIMARY KEY,
  balance bigint NOT NULL DEFAULT 0,
  earned  bigint NOT NULL DEFAULT 0,
  spent   bigint NOT NULL DEFAULT 0,
  hot     boolean NOT NULL DEFAULT false,
  CONSTRAINT accounts_balance_not_negative CHECK (balance >= 0 OR account = 'mint')
) WITH (fillfactor = 80);

INSERT INTO accounts (account, hot) VALUES ('mint', true), ('fees', true), ('pool', true)
ON CONFLICT (account) DO NOTHING;

CREATE TABLE IF NOT EXISTS ledger_entries (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key          text NOT NULL CONSTRAINT ledger_entries_key_unique UNIQUE,   -- the business event, so that it is booked once
  from_account text NOT NULL,
  to_account   text NOT NULL,
  amount       bigint NOT NULL CHECK (amount > 0),    -- atomic units, 1000 to a credit
  reason       text NOT NULL,
  reference    text,                                  -- the negotiation or task it belongs to
  created_at   timestamptz NOT NULL DEFAULT now(),
  CHECK (from_account <> to_account)
);

CREATE INDEX IF NOT EXISTS idx_ledger_entries_from ON ledger_entries (from_account, id)
  WHERE from_account NOT IN ('mint', 'fees', 'pool');
CREATE INDEX IF NOT EXISTS idx_ledger_entries_to ON ledger_entries (to_account, id)
  WHERE to_account NOT IN ('mint', 'fees', 'pool');

-- Movements of hot accounts that are not in their balance yet; a job rolls them up.
CREATE TABLE IF NOT EXISTS ledger_pending (
  account text NOT NULL,
  amount  bigint NOT NULL,
  earned  bigint NOT NULL DEFAULT 0,
  spent   bigint NOT NULL DEFAULT 0
);

-- What new agents were given, by the hour: the grant has a cap.
CREATE TABLE IF NOT EXISTS welcome_grants (
  hour    timestamptz PRIMARY KEY,
  granted bigint NOT NULL CHECK (granted >= 0)
);

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

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: its rows are statements and never change', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE TRIGGER ledger_entries_apply
  AFTER INSERT ON ledger_entries REFERENCING NEW TABLE AS posted
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_apply();

CREATE OR REPLACE TRIGGER ledger_entries_immutable
  BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
