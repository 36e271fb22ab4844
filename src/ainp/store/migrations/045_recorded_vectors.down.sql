DROP TRIGGER IF EXISTS note_records ON agents;
DROP FUNCTION IF EXISTS note_records();
DO $$
BEGIN
  IF to_regclass('capability_vectors') IS NOT NULL THEN
    ALTER TABLE capability_vectors DROP COLUMN IF EXISTS recorded CASCADE;  -- with the indexes over it
  END IF;
END $$;
DROP FUNCTION IF EXISTS note_record() CASCADE;
-- As migration 033 made it.
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
