-- name: take
-- Wait until nobody else holds this turn; it ends with the transaction.
SELECT pg_advisory_xact_lock(hashtext('ainp.turn'), hashtext($1))
