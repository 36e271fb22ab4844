-- The extension `vector` stays: it may be of use to others.
DROP TABLE IF EXISTS capability_vectors;
DROP FUNCTION IF EXISTS prepare_vectors(text, integer, real, real);
DROP TABLE IF EXISTS embedding_models;
DROP TABLE IF EXISTS trust_ranking;
ALTER TABLE IF EXISTS agents DROP COLUMN IF EXISTS trust_ranked_at, DROP COLUMN IF EXISTS trust_rank;
