-- What is measured by a job now and then, for whoever asks how the broker is.
-- provides: table measurements

CREATE TABLE IF NOT EXISTS measurements (
  metric      text NOT NULL,              -- its name in docs/metrics.md
  label       text NOT NULL DEFAULT '',
  value       double precision NOT NULL,
  measured_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (metric, label)
);
