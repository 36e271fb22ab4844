-- Which tick of which job was run, so that one node runs it.
-- provides: table job_runs

CREATE TABLE IF NOT EXISTS job_runs (
  job         text PRIMARY KEY,
  tick        timestamptz NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  error       text
);
