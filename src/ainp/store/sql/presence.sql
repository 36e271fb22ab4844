-- name: enter
-- Note that agents ($2: DID and visit) are connected to a process ($1), which is alive for another $3.
WITH node AS (
  INSERT INTO broker_nodes AS n (id, until) VALUES ($1, now() + $3::interval)
      ON CONFLICT (id) DO UPDATE SET until = excluded.until
  RETURNING id
)
INSERT INTO presence AS p (did, node, visit)
SELECT said.did, node.id, said.visit
  FROM node, json_to_recordset($2::json) said (did text, visit bigint)
 ORDER BY said.did
    ON CONFLICT (did, node) DO UPDATE SET visit = excluded.visit WHERE p.visit < excluded.visit

-- name: leave
-- Note that agents ($2) have gone from a process ($1), each unless it has come back since the visit in its place in $3.
DELETE FROM presence p
 USING unnest($2::text[], $3::bigint[]) AS gone (did, visit)
 WHERE p.node = $1 AND p.did = gone.did AND p.visit = gone.visit

-- name: alive
-- Say that a process is there for another $2; how many agents it has and whether it was believed until now, so that it can
-- see what was forgotten, or missed.
WITH node AS (
  INSERT INTO broker_nodes AS n (id, until) VALUES ($1, now() + $2::interval)
      ON CONFLICT (id) DO UPDATE SET until = excluded.until
)
SELECT count(*) AS count, coalesce((SELECT before.until > now() FROM broker_nodes before WHERE before.id = $1), false) AS believed
  FROM presence WHERE node = $1

-- name: forget
-- Drop processes that have not said anything for a while after their time was over, and who was connected to them.
DELETE FROM broker_nodes WHERE until < now() - interval '1 minute'

-- name: gone
-- Drop a process that ends, and who was connected to it.
DELETE FROM broker_nodes WHERE id = $1
