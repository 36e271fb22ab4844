-- How long a capability takes and what it costs, where its agent says so: searches leave out what says more.
-- provides: column capabilities.latency_ms
-- provides: column capabilities.cost
-- provides: index idx_capabilities_terms

ALTER TABLE capabilities
  ADD COLUMN IF NOT EXISTS latency_ms bigint CHECK (latency_ms >= 0),
  ADD COLUMN IF NOT EXISTS cost       bigint CHECK (cost >= 0);      -- atomic units

-- What says nothing is never too slow or too dear, so it stands where 0 does.
CREATE INDEX IF NOT EXISTS idx_capabilities_terms ON capabilities ((coalesce(latency_ms, 0)), (coalesce(cost, 0)));
