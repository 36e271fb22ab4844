-- name: insert
-- Write what happened ($1), all of it as of now.
INSERT INTO audit_log (event_type, agent_did, ip_address, details)
SELECT said.event_type, said.agent_did, said.ip_address, said.details
  FROM json_to_recordset($1::json) said (event_type text, agent_did text, ip_address inet, details jsonb)

-- Pages, newest first, below the cursor ($1, $2) and not before $3; each by an index of its own.

-- name: list_all
SELECT id, event_type, agent_did, abbrev(ip_address) AS address, details, "timestamp"
  FROM audit_log
 WHERE ("timestamp", id) < ($1, $2::uuid) AND "timestamp" >= $3
 ORDER BY "timestamp" DESC, id DESC
 LIMIT $4

-- name: list_by_agent
SELECT id, event_type, agent_did, abbrev(ip_address) AS address, details, "timestamp"
  FROM audit_log
 WHERE ("timestamp", id) < ($1, $2::uuid) AND "timestamp" >= $3 AND agent_did = $5::text
 ORDER BY "timestamp" DESC, id DESC
 LIMIT $4

-- name: list_by_event
SELECT id, event_type, agent_did, abbrev(ip_address) AS address, details, "timestamp"
  FROM audit_log
 WHERE ("timestamp", id) < ($1, $2::uuid) AND "timestamp" >= $3 AND event_type = $5::text
 ORDER BY "timestamp" DESC, id DESC
 LIMIT $4

-- name: list_by_agent_and_event
SELECT id, event_type, agent_did, abbrev(ip_address) AS address, details, "timestamp"
  FROM audit_log
 WHERE ("timestamp", id) < ($1, $2::uuid) AND "timestamp" >= $3 AND agent_did = $5::text AND event_type = $6::text
 ORDER BY "timestamp" DESC, id DESC
 LIMIT $4

-- name: forget
-- Drop a batch of rows that are older than $1.
DELETE FROM audit_log
 WHERE id = ANY (ARRAY(SELECT id FROM audit_log WHERE "timestamp" < now() - $1::interval ORDER BY "timestamp" LIMIT $2))
