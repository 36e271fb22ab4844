-- How many negotiations one agent may have open with another: each takes one of so many places, and nobody counts.
-- provides: column negotiations.place
-- provides: index idx_negotiations_places

-- Those from before, and those whose time is over, have none.
ALTER TABLE negotiations ADD COLUMN IF NOT EXISTS place smallint CHECK (place > 0);

CREATE UNIQUE INDEX IF NOT EXISTS idx_negotiations_places ON negotiations (initiator_did, responder_did, place)
  WHERE state IN ('initiated', 'proposed', 'counter_proposed') AND place IS NOT NULL;
