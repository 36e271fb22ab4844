-- name: connections
-- All but those that are kept for superusers, and from 16 on for a role of their helpers.
SELECT current_setting('max_connections')::int
       - current_setting('superuser_reserved_connections')::int
       - COALESCE(current_setting('reserved_connections', true)::int, 0)
