-- Search by meaning: the models that make vectors, and what agents count with when they are ranked.
-- provides: table embedding_models
-- provides: table trust_ranking
-- provides: column agents.trust_rank
-- provides: column agents.trust_ranked_at
-- provides: index idx_agents_trust_rank
-- provides: index idx_agents_trust_ranked_at
-- provides: function prepare_vectors

-- The vectors themselves need the extension `vector` (0.8 or later), which not every PostgreSQL has. So their table is
-- made when the first model is prepared, and where that can't be, everything but discovery works.
CREATE TABLE IF NOT EXISTS embedding_models (
  id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       text NOT NULL UNIQUE,
  dimension  integer NOT NULL CHECK (dimension BETWEEN 1 AND 4000),
  floor      real NOT NULL,              -- the cosine of texts that have nothing in common
  ceiling    real NOT NULL CHECK (ceiling > floor),
  created_at timestamptz NOT NULL DEFAULT now()
);

-- The lower bound of trust in millionths, as rankings count it; NULL beside it: it was never anything but 0.
ALTER TABLE agents
  ADD COLUMN IF NOT EXISTS trust_rank      integer NOT NULL DEFAULT 0 CHECK (trust_rank BETWEEN 0 AND 1000000),
  ADD COLUMN IF NOT EXISTS trust_ranked_at timestamptz;
CREATE INDEX IF NOT EXISTS idx_agents_trust_rank ON agents (trust_rank) WHERE trust_rank > 0;
CREATE INDEX IF NOT EXISTS idx_agents_trust_ranked_at ON agents (trust_ranked_at) WHERE trust_ranked_at IS NOT NULL;

-- Up to which observation of reputations this was done: those up to `done` surely, up to `seen` all that were visible.
CREATE TABLE IF NOT EXISTS trust_ranking (
  one  boolean PRIMARY KEY DEFAULT true CHECK (one),
  done bigint NOT NULL DEFAULT 0,
  seen bigint NOT NULL DEFAULT 0
);
INSERT INTO trust_ranking DEFAULT VALUES ON CONFLICT DO NOTHING;

-- Make sure that vectors of a model can be stored and searched; its number, or NULL where the extension is not to be
-- had. The first to come makes the extension, the table, and the model's own index, which is empty then.
CREATE OR REPLACE FUNCTION prepare_vectors(model_name text, model_dimension integer, low real, high real)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  model record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ainp.prepare_vectors'));
  BEGIN
    IF to_regtype('halfvec') IS NULL THEN
      CREATE EXTENSION IF NOT EXISTS vector;
    END IF;
  EXCEPTION WHEN undefined_file OR feature_not_supported OR insufficient_privilege THEN
    RETURN NULL;
  END;
  IF to_regtype('halfvec') IS NULL THEN  -- an extension that is too old
    RETURN NULL;
  END IF;
  IF to_regclass('capability_vectors') IS NULL THEN
    CREATE TABLE capability_vectors (
      capability_id uuid NOT NULL REFERENCES capabilities (id) ON DELETE CASCADE,
      model_id      integer NOT NULL REFERENCES embedding_models (id),
      embedding     halfvec NOT NULL,
      PRIMARY KEY (capability_id, model_id)
    );
    ALTER TABLE capability_vectors ALTER COLUMN embedding SET STORAGE PLAIN;
  END IF;
  INSERT INTO embedding_models (name, dimension, floor, ceiling) VALUES (model_name, model_dimension, low, high)
  ON CONFLICT (name) DO NOTHING;
  SELECT * INTO STRICT model FROM embedding_models WHERE name = model_name;
  IF to_regclass('idx_capability_vectors_' || model.id) IS NULL THEN
    EXECUTE format(
      'CREATE INDEX idx_capability_vectors_%s ON capability_vectors'
      ' USING hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops) WITH (m = 16, ef_construction = 64)'
      ' WHERE model_id = %s', model.id, model.dimension, model.id);
  END IF;
  RETURN model.id;
END $$;
