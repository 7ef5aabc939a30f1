-- SPDX-License-Identifier: Apache-2.0
-- The events of many machines. docs/fleet.md explains it. Run it with psql as the owner of the database; it can be run
-- again. Two roles may be granted to others: holdfast_collector may only call take(), and holdfast_reader may only read.
BEGIN;
CREATE SCHEMA IF NOT EXISTS holdfast;

-- A machine sends from one address. Which one is what its first event came from, or what an administrator writes here.
CREATE TABLE IF NOT EXISTS holdfast.machines (
  machine text PRIMARY KEY,
  address inet NOT NULL,
  first_seen timestamptz NOT NULL DEFAULT now()
);

-- body is the event as it was sent. The day is that of the event, so an event that is sent again has the same key.
CREATE TABLE IF NOT EXISTS holdfast.events (
  day date NOT NULL,
  machine text NOT NULL,
  boot text NOT NULL,
  sequence bigint NOT NULL,
  time timestamptz NOT NULL,
  verdict text,
  enforced boolean,
  hook text,
  way text,
  reason text,
  profile text,
  rule_file text,
  rule_line integer,
  rule_text text,
  guard text,
  unit text,
  container text,
  policy text,
  policy_name text,
  decisions bigint NOT NULL,
  body json NOT NULL,
  PRIMARY KEY (machine, boot, sequence, day)
) PARTITION BY RANGE (day);
CREATE INDEX IF NOT EXISTS events_refused ON holdfast.events (day, unit, rule_file, rule_line) WHERE verdict = 'deny';

-- What was sent and is no event, or came from another machine than it names.
CREATE TABLE IF NOT EXISTS holdfast.rejected (
  time timestamptz NOT NULL DEFAULT now(),
  address text,
  why text NOT NULL,
  line text NOT NULL
);

CREATE OR REPLACE FUNCTION holdfast.reject(line text, sender text, why text) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO holdfast.rejected (address, why, line) VALUES (sender, why, left(line, 4096))
$$;

-- The table for the events of a day. Days far from today have none, or a machine with a wrong clock could make any number.
CREATE OR REPLACE FUNCTION holdfast.make_day(wanted date) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF wanted < current_date - 400 OR wanted > current_date + 2 THEN
    RETURN false;
  END IF;
  -- Two collectors may want the same one.
  PERFORM pg_advisory_xact_lock(hashtext('holdfast.make_day'));
  EXECUTE format('CREATE TABLE IF NOT EXISTS holdfast.%I PARTITION OF holdfast.events FOR VALUES FROM (%L) TO (%L)',
                 'events_' || to_char(wanted, 'YYYYMMDD'), wanted, wanted + 1);
  RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION holdfast.insert_event(e jsonb, line text, at timestamptz) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO holdfast.events VALUES (
    (at AT TIME ZONE 'UTC')::date, e->>'machine', e->>'boot', (e->>'sequence')::bigint, at,
    e->>'verdict', (e->>'enforced')::boolean, e->>'hook', e->>'way', e->>'reason', e->>'profile',
    e->'rule'->>'file', (e->'rule'->>'line')::integer, e->'rule'->>'text',
    e->>'guard', e->>'unit', e->>'container', e->>'policy', e->>'policy_name',
    1 + coalesce((e->>'repeats')::bigint, 0), line::json)
  ON CONFLICT DO NOTHING
$$;

-- Keeps one line that a machine sent, once however often it is sent. `sender` is the address of the machine. It never
-- fails for what a line has in it: a line that always fails would stop the collector. It fails when the database does.
CREATE OR REPLACE FUNCTION holdfast.take(line text, sender text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = holdfast, pg_temp AS $$
DECLARE
  e jsonb;
  at timestamptz;
  known inet;
BEGIN
  line := btrim(line);
  BEGIN
    e := line::jsonb;
    at := (e->>'time')::timestamptz;
    IF jsonb_typeof(e) <> 'object' OR e->>'machine' !~ '^[0-9a-f]{32}$' OR length(e->>'boot') NOT BETWEEN 1 AND 64
       OR (e->>'sequence')::bigint IS NULL OR at IS NULL OR e->>'machine' IS NULL OR e->>'boot' IS NULL THEN
      PERFORM reject(line, sender, 'it is no event with machine, boot, sequence and time');
      RETURN;
    END IF;
  EXCEPTION WHEN data_exception THEN
    PERFORM reject(line, sender, 'it is no event: ' || SQLERRM);
    RETURN;
  END;
  SELECT address INTO known FROM machines WHERE machine = e->>'machine';
  IF NOT FOUND THEN
    INSERT INTO machines (machine, address) VALUES (e->>'machine', sender::inet) ON CONFLICT DO NOTHING;
    SELECT address INTO known FROM machines WHERE machine = e->>'machine';
  END IF;
  IF known <> sender::inet THEN
    PERFORM reject(line, sender, format('machine %s is at %s', e->>'machine', host(known)));
    RETURN;
  END IF;
  BEGIN
    PERFORM insert_event(e, line, at);
  EXCEPTION
    WHEN check_violation THEN
      IF NOT make_day((at AT TIME ZONE 'UTC')::date) THEN
        PERFORM reject(line, sender, 'its time is too far from that of the collector');
        RETURN;
      END IF;
      BEGIN
        PERFORM insert_event(e, line, at);
      EXCEPTION WHEN data_exception THEN
        PERFORM reject(line, sender, 'a field has another type: ' || SQLERRM);
      END;
    WHEN data_exception THEN
      PERFORM reject(line, sender, 'a field has another type: ' || SQLERRM);
  END;
END
$$;

-- Removes the days before the last `days` ones. Returns how many tables that were.
CREATE OR REPLACE FUNCTION holdfast.forget(days integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  name text;
  gone integer := 0;
BEGIN
  FOR name IN SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
              WHERE inhparent = 'holdfast.events'::regclass
                AND relname < 'events_' || to_char(current_date - days, 'YYYYMMDD') LOOP
    EXECUTE format('DROP TABLE holdfast.%I', name);
    gone := gone + 1;
  END LOOP;
  RETURN gone;
END
$$;

-- Which unit was refused what, by which line: since when, how often, and on how many machines.
CREATE OR REPLACE VIEW holdfast.refusals AS
  SELECT coalesce(unit, '(ended)') AS unit, profile, hook, way, reason,
         rule_file || ':' || rule_line AS line, rule_text,
         bool_or(enforced) AS enforced, count(DISTINCT machine) AS machines, sum(decisions) AS decisions,
         min(time) AS first_seen, max(time) AS last_seen
  FROM holdfast.events WHERE verdict = 'deny' AND guard IS NULL
  GROUP BY coalesce(unit, '(ended)'), profile, hook, way, reason, rule_file, rule_line, rule_text;

-- Refusals that no machine had before the last day.
CREATE OR REPLACE VIEW holdfast.new_refusals AS
  SELECT * FROM holdfast.refusals WHERE first_seen > now() - interval '1 day';

-- Attempts on the enforcement itself.
CREATE OR REPLACE VIEW holdfast.attempts AS
  SELECT guard, coalesce(unit, '(ended)') AS unit, count(DISTINCT machine) AS machines, sum(decisions) AS attempts,
         min(time) AS first_seen, max(time) AS last_seen
  FROM holdfast.events WHERE guard IS NOT NULL GROUP BY guard, coalesce(unit, '(ended)');

-- The policy of the last decision of each machine.
CREATE OR REPLACE VIEW holdfast.last_policies AS
  SELECT DISTINCT ON (machine) machine, policy_name, policy, time
  FROM holdfast.events WHERE guard IS NULL ORDER BY machine, time DESC;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_collector') THEN
    CREATE ROLE holdfast_collector NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_reader') THEN
    CREATE ROLE holdfast_reader NOLOGIN;
  END IF;
END
$$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA holdfast FROM PUBLIC;
GRANT USAGE ON SCHEMA holdfast TO holdfast_collector, holdfast_reader;
GRANT EXECUTE ON FUNCTION holdfast.take(text, text) TO holdfast_collector;
GRANT SELECT ON ALL TABLES IN SCHEMA holdfast TO holdfast_reader;
COMMIT;
