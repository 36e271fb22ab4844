-- name: columns
-- What is stored of the tables ($1), in the order of their columns, with an estimate of the rows; without what
-- PostgreSQL computes itself.
SELECT c.relname AS name, greatest(c.reltuples, 0)::bigint AS estimate,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY ($1::text[])
 GROUP BY c.oid, c.relname, c.reltuples
 ORDER BY c.relname

-- name: references
-- Which of these tables ($1) must be filled before which.
SELECT DISTINCT f.conrelid::regclass::text AS name, f.confrelid::regclass::text AS needs
  FROM pg_constraint f
  JOIN pg_class c ON c.oid = f.conrelid
 WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY ($1::text[])
   AND f.conrelid <> f.confrelid

-- name: counters
-- How far numbers have been given out: of identity columns, and of sequences that stand alone. They run ahead of a
-- snapshot and never behind it.
SELECT c.relname AS name, pg_sequence_last_value(c.oid::regclass) AS last
  FROM pg_class c
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S'
 ORDER BY c.relname

-- name: set_counter
SELECT setval(to_regclass(quote_ident($1)), $2)

-- name: in_use
-- Brokers, workers and commands that are connected to this database.
SELECT count(*)
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'ainp%'

-- name: share_turn
-- Keep migrations ($1) away for as long as this session lives; not, if one is at it.
SELECT pg_try_advisory_lock_shared($1)

-- name: models
SELECT name, dimension, floor, ceiling FROM embedding_models ORDER BY id

-- name: prepare_vectors
SELECT prepare_vectors($1, $2, $3, $4)

-- name: now
SELECT clock_timestamp()
