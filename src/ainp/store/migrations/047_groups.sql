-- Groups of three and more that negotiate: what is proposed in each round, and who votes how. No money is in them.
-- provides: table group_negotiations
-- provides: table group_members
-- provides: index idx_group_negotiations_due
-- provides: index idx_group_negotiations_opened
-- provides: index idx_group_members_listed

CREATE TABLE IF NOT EXISTS group_negotiations (
  id            uuid PRIMARY KEY,
  intent_id     text NOT NULL,
  opener_did    text NOT NULL,
  members       json NOT NULL,                       -- DIDs with their weights, the opener first
  mechanism     text NOT NULL CHECK (mechanism IN ('unanimous', 'majority', 'weighted')),
  threshold_bp  integer CHECK (threshold_bp BETWEEN 1 AND 10000),
  max_rounds    smallint NOT NULL CHECK (max_rounds BETWEEN 1 AND 10),
  round_ms      bigint NOT NULL CHECK (round_ms > 0),
  state         text NOT NULL CHECK (state IN ('open', 'agreed', 'failed', 'aborted')),
  rounds        json NOT NULL,                       -- proposals with their votes; at most 20 votes together
  round_ends_at timestamptz NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  closed_at     timestamptz,
  closed_by     text,
  close_reason  text,
  CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE INDEX IF NOT EXISTS idx_group_negotiations_due ON group_negotiations (round_ends_at) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS idx_group_negotiations_opened ON group_negotiations (opener_did) WHERE state = 'open';

-- Whose group it is: for lists of one's own.
CREATE TABLE IF NOT EXISTS group_members (
  did        text NOT NULL,
  group_id   uuid NOT NULL REFERENCES group_negotiations (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (group_id, did)
);
CREATE INDEX IF NOT EXISTS idx_group_members_listed ON group_members (did, created_at DESC, group_id DESC);
