DROP TABLE IF EXISTS welcome_grants;
DROP TABLE IF EXISTS ledger_pending;
DROP TABLE IF EXISTS ledger_entries;
DROP TABLE IF EXISTS accounts;
DROP FUNCTION IF EXISTS ledger_apply();
DROP FUNCTION IF EXISTS refuse_change();
