-- name: lock
SELECT pg_try_advisory_lock(hashtext('ainp.job'), hashtext($1))

-- name: unlock
SELECT pg_advisory_unlock(hashtext('ainp.job'), hashtext($1))

-- name: claim
-- Take a tick of a job; whoever comes second gets nothing. A tick of the far future was taken by a node whose clock was
-- wrong: it must not stop the job until then.
INSERT INTO job_runs AS r (job, tick) VALUES ($1, $2)
ON CONFLICT (job) DO UPDATE SET tick = excluded.tick, started_at = now(), finished_at = NULL, error = NULL
 WHERE r.tick < excluded.tick OR r.tick > now() + interval '5 minutes'
RETURNING job

-- name: finish
UPDATE job_runs SET finished_at = now(), error = $3 WHERE job = $1 AND tick = $2

-- name: runs
SELECT job, tick, started_at, finished_at, error FROM job_runs ORDER BY job
