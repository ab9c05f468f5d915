-- Duet's own tables at home. Each statement can be run again.
CREATE SCHEMA IF NOT EXISTS duet;

-- One row per link: loop tag, checkpoint and fence in one (include/duet/control.hpp).
CREATE TABLE IF NOT EXISTS duet.control (
  link            text PRIMARY KEY,
  epoch           bigint NOT NULL,
  position        bigint NOT NULL,  -- of the spoke's log: applied here up to and with this transaction
  floor           bigint NOT NULL,  -- of this log: what the spoke had seen when it wrote `position`
  counter         bigint NOT NULL,
  fingerprint     bigint NOT NULL,  -- 64 bits, read as unsigned
  source_identity text NOT NULL,
  own_identity    text NOT NULL
);

-- Every value that lost against another one, and every write that met an unexpected row (rule: drift).
CREATE TABLE IF NOT EXISTS duet.conflict_log (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  link           text NOT NULL,
  table_name     text NOT NULL,     -- home's name, schema.table
  key            jsonb NOT NULL,
  type           text NOT NULL,     -- PostgreSQL's conflict names: insert_exists, update_origin_differs, ...
  home_row       jsonb,             -- null: no row
  spoke_row      jsonb,
  home_position  bigint,
  spoke_position bigint,
  home_time      timestamptz,
  spoke_time     timestamptz,
  rule           text NOT NULL,
  winner         text NOT NULL,     -- home, spoke, both (some columns of each), script (its own values), nobody (it is held)
  result         text NOT NULL,     -- what was done, in words
  base_row       jsonb,             -- what the spoke's update was made on
  result_row     jsonb,             -- what stands at home after it; null: no row
  decided_by     text NOT NULL DEFAULT 'rule',  -- or the person's name, of a held key
  decided_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  clock_offset_us bigint            -- the spoke's clock minus home's, as measured last; null: not known
);

-- The first copy of each table that this database has been, or is being, filled with.
CREATE TABLE IF NOT EXISTS duet.first_copy (
  link        text NOT NULL,
  table_name  text NOT NULL,
  copied_to   text NOT NULL DEFAULT '',   -- the last key, in a form of the side that is read; empty: nothing yet
  copied_rows bigint NOT NULL DEFAULT 0,
  done        boolean NOT NULL DEFAULT false,
  begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (link, table_name)
);

-- What the link remembers of each table's columns on both sides, and of tables that are paused until both sides fit again.
CREATE TABLE IF NOT EXISTS duet.table_state (
  link        text NOT NULL,
  table_name  text NOT NULL,              -- home's name; empty: of the link, while a table catches up
  state       text NOT NULL,              -- JSON
  changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (link, table_name)
);

-- Changes that this database refused, and the later changes of the same keys that wait behind them.
CREATE TABLE IF NOT EXISTS duet.held (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  link            text NOT NULL,
  table_name      text NOT NULL,
  key             jsonb NOT NULL,
  token           bigint NOT NULL,  -- 64 bits, read as unsigned: hash of table and key
  operation       text NOT NULL,
  reason          text NOT NULL,
  server_code     text NOT NULL DEFAULT '',
  before_row      jsonb,
  after_row       jsonb,
  source_position bigint NOT NULL,
  source_time     timestamptz,
  held_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
