DROP INDEX IF EXISTS idx_negotiations_places;
ALTER TABLE IF EXISTS negotiations DROP COLUMN IF EXISTS place;
