-- Format 1 of a prompt registry in PostgreSQL. Everything is written by the three functions below, which belong to
-- whoever ran this; nobody else may write a table. What a role may do is decided here, so it holds for any program.

CREATE SCHEMA gate;

CREATE TABLE gate.format (version integer NOT NULL);
INSERT INTO gate.format VALUES (1);

-- One row a prompt, locked by whoever changes it.
CREATE TABLE gate.prompt (slug text PRIMARY KEY);

CREATE TABLE gate.version (
  slug text NOT NULL REFERENCES gate.prompt,
  number integer NOT NULL CHECK (number > 0),
  form text NOT NULL CHECK (form IN ('yaml', 'text')),
  text text NOT NULL,
  hash text NOT NULL,
  document jsonb NOT NULL,
  added_by text NOT NULL DEFAULT session_user,
  PRIMARY KEY (slug, number)
);

CREATE TABLE gate.log (
  slug text NOT NULL REFERENCES gate.prompt,
  seq bigint NOT NULL,
  digest text NOT NULL,
  line text NOT NULL,
  written_by text NOT NULL DEFAULT session_user,
  PRIMARY KEY (slug, seq)
);

CREATE TABLE gate.evidence (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug text NOT NULL REFERENCES gate.prompt,
  path text NOT NULL,
  text text NOT NULL
);
CREATE INDEX evidence_of ON gate.evidence (slug, path, id);

CREATE TABLE gate.signature (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug text NOT NULL REFERENCES gate.prompt,
  line text NOT NULL
);
CREATE INDEX signature_of ON gate.signature (slug, id);

CREATE TABLE gate.settings (slug text PRIMARY KEY REFERENCES gate.prompt, text text NOT NULL);

-- What an application reads: one row a channel, found by slug and channel.
CREATE TABLE gate.live (
  slug text NOT NULL REFERENCES gate.prompt,
  channel text NOT NULL,
  version integer NOT NULL,
  hash text NOT NULL,
  document jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (slug, channel),
  FOREIGN KEY (slug, version) REFERENCES gate.version (slug, number)
);

CREATE FUNCTION gate.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'gate.% is never changed: rows are only added', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON gate.version EXECUTE FUNCTION gate.refuse();
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON gate.log EXECUTE FUNCTION gate.refuse();
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON gate.evidence EXECUTE FUNCTION gate.refuse();

CREATE FUNCTION gate.digest(content text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT 'sha256:' || encode(sha256(convert_to(content, 'UTF8')), 'hex')
$$;

-- RFC 8785 for what a log line holds: objects with ASCII keys, lists, texts, whole numbers, true, false, null.
CREATE FUNCTION gate.canonical(value jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN CASE jsonb_typeof(value)
    WHEN 'object' THEN '{' || coalesce((SELECT string_agg(to_json(f.key)::text || ':' || gate.canonical(f.value), ',' ORDER BY f.key COLLATE "C") FROM jsonb_each(value) AS f), '') || '}'
    WHEN 'array' THEN '[' || coalesce((SELECT string_agg(gate.canonical(i.value), ',' ORDER BY i.ordinality) FROM jsonb_array_elements(value) WITH ORDINALITY AS i), '') || ']'
    ELSE value::text
  END;
END $$;

CREATE FUNCTION gate.take(prompt text) RETURNS void LANGUAGE plpgsql SET search_path = gate, pg_temp AS $$
BEGIN
  INSERT INTO gate.prompt (slug) VALUES (prompt) ON CONFLICT DO NOTHING;
  PERFORM FROM gate.prompt AS p WHERE p.slug = prompt FOR UPDATE;
END $$;

CREATE FUNCTION gate.point(prompt text, to_channel text, to_version integer, to_hash text) RETURNS void LANGUAGE plpgsql SET search_path = gate, pg_temp AS $$
BEGIN
  INSERT INTO gate.live (slug, channel, version, hash, document)
    SELECT v.slug, to_channel, v.number, v.hash, v.document FROM gate.version AS v WHERE v.slug = prompt AND v.number = to_version AND v.hash = coalesce(to_hash, v.hash)
    ON CONFLICT (slug, channel) DO UPDATE SET version = excluded.version, hash = excluded.hash, document = excluded.document, updated_at = clock_timestamp();
  IF NOT FOUND THEN
    RAISE EXCEPTION 'prompt % has no v% with the hash of the entry', prompt, to_version USING ERRCODE = 'GT002';
  END IF;
END $$;

-- One entry after the last: its place and digest are checked, and what it says is done.
CREATE FUNCTION gate.append_line(prompt text, place bigint, before text, line text, versions jsonb) RETURNS text LANGUAGE plpgsql SET search_path = gate, pg_temp AS $$
DECLARE
  entry jsonb := line::jsonb;
  own text := entry ->> 'digest';
  act text := entry ->> 'action';
  subject integer := (entry ->> 'version')::integer;
  added jsonb;
BEGIN
  IF (entry ->> 'seq')::bigint IS DISTINCT FROM place OR entry ->> 'prev' IS DISTINCT FROM before
     OR own IS DISTINCT FROM gate.digest(gate.canonical(entry - 'digest')) THEN
    RAISE EXCEPTION 'the entry does not follow the last one of %', prompt USING ERRCODE = 'GT002';
  END IF;
  IF act IS NULL OR act NOT IN ('add', 'status', 'approve', 'promote', 'rollback', 'repair') OR (act = 'status' AND entry ->> 'to' = 'active') THEN
    RAISE EXCEPTION 'the registry knows no such entry' USING ERRCODE = 'GT002';
  END IF;
  IF act IN ('promote', 'rollback', 'repair') AND NOT pg_has_role(session_user, 'gate_promoter', 'MEMBER') THEN
    RAISE EXCEPTION '% may not % a version: that takes the role gate_promoter', session_user, act USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO gate.log (slug, seq, digest, line) VALUES (prompt, place, own, line);
  IF act = 'add' THEN
    SELECT v.value INTO added FROM jsonb_array_elements(versions) AS v WHERE (v.value ->> 'number')::integer = subject;
    IF entry ->> 'file' IS DISTINCT FROM gate.digest(replace(added ->> 'text', E'\r\n', E'\n')) THEN
      RAISE EXCEPTION 'v% of % is not the text that its entry names', subject, prompt USING ERRCODE = 'GT002';
    END IF;
    INSERT INTO gate.version (slug, number, form, text, hash, document)
      VALUES (prompt, subject, added ->> 'form', added ->> 'text', entry ->> 'hash', added -> 'document');
    PERFORM gate.point(prompt, 'latest', (SELECT max(v.number) FROM gate.version AS v WHERE v.slug = prompt), NULL);
  ELSIF act IN ('promote', 'rollback') THEN
    PERFORM gate.point(prompt, entry ->> 'channel', subject, entry ->> 'hash');
  ELSIF act <> 'repair' AND NOT EXISTS (SELECT FROM gate.version AS v WHERE v.slug = prompt AND v.number = subject) THEN
    RAISE EXCEPTION 'prompt % has no v%', prompt, subject USING ERRCODE = 'GT002';
  END IF;
  RETURN own;
END $$;

-- Appends entries to a log whose head is `expected`, with the versions and the evidence that they name, whole or not at all.
CREATE FUNCTION gate.append(prompt text, expected text, lines text[], versions jsonb, evidence jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = gate, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
  head text;
  place bigint;
  line text;
BEGIN
  PERFORM gate.take(prompt);
  SELECT l.digest, l.seq INTO head, place FROM gate.log AS l WHERE l.slug = prompt ORDER BY l.seq DESC LIMIT 1;
  IF head IS DISTINCT FROM expected THEN
    RAISE EXCEPTION 'prompt % was changed meanwhile', prompt USING ERRCODE = 'GT001';
  END IF;
  place := coalesce(place, -1);
  FOREACH line IN ARRAY lines LOOP
    place := place + 1;
    head := gate.append_line(prompt, place, head, line, versions);
  END LOOP;
  IF jsonb_array_length(evidence) > 0 AND NOT pg_has_role(session_user, 'gate_promoter', 'MEMBER') THEN
    RAISE EXCEPTION '% may not add evidence: that takes the role gate_promoter', session_user USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO gate.evidence (slug, path, text) SELECT prompt, e.value ->> 'path', e.value ->> 'text' FROM jsonb_array_elements(evidence) AS e;
END $$;

CREATE FUNCTION gate.sign(prompt text, lines text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = gate, pg_temp AS $$
BEGIN
  PERFORM gate.take(prompt);
  INSERT INTO gate.signature (slug, line) SELECT prompt, l FROM unnest(lines) AS l;
END $$;

-- The settings of a prompt, with its protected channels.
CREATE FUNCTION gate.configure(prompt text, content text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = gate, pg_temp AS $$
BEGIN
  PERFORM gate.take(prompt);
  INSERT INTO gate.settings VALUES (prompt, content) ON CONFLICT (slug) DO UPDATE SET text = excluded.text;
END $$;

-- Roles belong to the whole server, so they may be there already.
DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['gate_reader', 'gate_author', 'gate_promoter'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
  END LOOP;
  IF NOT pg_has_role('gate_author', 'gate_reader', 'MEMBER') THEN
    GRANT gate_reader TO gate_author;
  END IF;
  IF NOT pg_has_role('gate_promoter', 'gate_author', 'MEMBER') THEN
    GRANT gate_author TO gate_promoter;
  END IF;
  IF NOT pg_has_role(session_user, 'gate_promoter', 'MEMBER') THEN
    EXECUTE format('GRANT gate_promoter TO %I', session_user);
  END IF;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gate FROM PUBLIC;
GRANT USAGE ON SCHEMA gate TO gate_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA gate TO gate_reader;
GRANT EXECUTE ON FUNCTION gate.digest(text) TO gate_reader;
GRANT EXECUTE ON FUNCTION gate.append(text, text, text[], jsonb, jsonb) TO gate_author;
GRANT EXECUTE ON FUNCTION gate.sign(text, text[]) TO gate_author;
GRANT EXECUTE ON FUNCTION gate.configure(text, text) TO gate_promoter;
