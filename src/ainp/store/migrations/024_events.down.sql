ALTER TABLE outbox RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
DROP TABLE IF EXISTS deliveries;
DROP TABLE IF EXISTS receivers;
DROP TABLE IF EXISTS events;
DROP TABLE IF EXISTS publication;
