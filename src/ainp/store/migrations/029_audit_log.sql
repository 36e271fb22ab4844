-- What was refused to whom, and what administrators did.
-- provides: table audit_log
-- provides: index idx_audit_log_timestamp
-- provides: index idx_audit_log_agent
-- provides: index idx_audit_log_event
-- provides: index idx_audit_log_agent_event

-- `agent_did` is who a refused request named, which nobody has proven, or whom an administrator's action was about. There is
-- no reference to agents: who is refused need not be one.
CREATE TABLE IF NOT EXISTS audit_log (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  event_type  text NOT NULL,
  agent_did   text,
  ip_address  inet,
  details     jsonb NOT NULL DEFAULT '{}',
  "timestamp" timestamptz NOT NULL DEFAULT now()
);

-- Each way to ask has its index, so that a page costs a page however long the log is.
CREATE INDEX IF NOT EXISTS idx_audit_log_timestamp ON audit_log ("timestamp" DESC, id DESC);
CREATE INDEX IF NOT EXISTS idx_audit_log_agent ON audit_log (agent_did, "timestamp" DESC, id DESC)
  WHERE agent_did IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_audit_log_event ON audit_log (event_type, "timestamp" DESC, id DESC);
CREATE INDEX IF NOT EXISTS idx_audit_log_agent_event ON audit_log (agent_did, event_type, "timestamp" DESC, id DESC)
  WHERE agent_did IS NOT NULL;
