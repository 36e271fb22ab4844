-- Search among those who have a record: whether a vector's agent ever had trust stands beside it, and such vectors have
-- an index of their own. A least trust would else be looked for among all the newcomers that it leaves out.
-- provides: function note_record
-- provides: function note_records
-- provides: trigger agents.note_records

-- Whoever had trust once stays in that index; what is asked for is checked in any case.
CREATE OR REPLACE FUNCTION note_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Shared with whoever ranks the agent, so that one of the two sees what the other writes.
  SELECT a.trust_rank > 0 INTO NEW.recorded
    FROM capabilities c JOIN agents a ON a.id = c.agent_id WHERE c.id = NEW.capability_id
     FOR SHARE OF a;
  NEW.recorded := coalesce(NEW.recorded, false);
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION note_records() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('capability_vectors') IS NOT NULL THEN
    UPDATE capability_vectors v SET recorded = true
      FROM capabilities c
     WHERE c.agent_id = NEW.id AND v.capability_id = c.id AND NOT v.recorded;
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER note_records AFTER UPDATE OF trust_rank ON agents
  FOR EACH ROW WHEN (OLD.trust_rank = 0 AND NEW.trust_rank > 0) EXECUTE FUNCTION note_records();

-- As in migration 033, with the flag, its trigger and its index.
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
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'capability_vectors'::regclass AND attname = 'recorded') THEN
    ALTER TABLE capability_vectors ADD COLUMN recorded boolean NOT NULL DEFAULT false;
    CREATE TRIGGER note_record BEFORE INSERT ON capability_vectors FOR EACH ROW EXECUTE FUNCTION note_record();
    UPDATE capability_vectors v SET recorded = true
      FROM capabilities c JOIN agents a ON a.id = c.agent_id
     WHERE c.id = v.capability_id AND a.trust_rank > 0;
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
  IF to_regclass('idx_capability_vectors_' || model.id || '_recorded') IS NULL THEN
    EXECUTE format(
      'CREATE INDEX idx_capability_vectors_%s_recorded ON capability_vectors'
      ' USING hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops) WITH (m = 16, ef_construction = 64)'
      ' WHERE model_id = %s AND recorded', model.id, model.dimension, model.id);
  END IF;
  RETURN model.id;
END $$;

-- Vectors that are there already; where there are none, the first model makes the table.
SELECT prepare_vectors(name, dimension, floor, ceiling) FROM embedding_models
 WHERE to_regclass('capability_vectors') IS NOT NULL;
