-- Duet's own tables at the spoke; the same names and meanings as at home. Each statement can be run again.
CREATE DATABASE IF NOT EXISTS duet CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS duet.control (
  link            varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  epoch           bigint NOT NULL,
  position        bigint NOT NULL,
  floor           bigint NOT NULL,
  counter         bigint NOT NULL,
  fingerprint     bigint NOT NULL,
  source_identity varchar(200) NOT NULL,
  own_identity    varchar(200) NOT NULL
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS duet.conflict_log (
  id             bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  link           varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  table_name     varchar(200) NOT NULL,
  `key`          json NOT NULL,
  type           varchar(64) NOT NULL,
  home_row       json,
  spoke_row      json,
  home_position  bigint,
  spoke_position bigint,
  home_time      datetime(6),
  spoke_time     datetime(6),
  rule           varchar(64) NOT NULL,
  winner         varchar(16) NOT NULL,
  result         varchar(200) NOT NULL,
  base_row       json,
  result_row     json,
  decided_by     varchar(200) NOT NULL DEFAULT 'rule',
  decided_at     datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  clock_offset_us bigint
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS duet.held (
  id              bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  link            varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  table_name      varchar(200) NOT NULL,
  `key`           json NOT NULL,
  token           bigint NOT NULL,
  operation       varchar(16) NOT NULL,
  reason          varchar(1000) NOT NULL,
  server_code     varchar(16) NOT NULL DEFAULT '',
  before_row      json,
  after_row       json,
  source_position bigint NOT NULL,
  source_time     datetime(6),
  held_at         datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS duet.first_copy (
  link        varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  table_name  varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  copied_to   mediumtext NOT NULL,
  copied_rows bigint NOT NULL DEFAULT 0,
  done        boolean NOT NULL DEFAULT false,
  begun_at    datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  changed_at  datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (link, table_name)
) ENGINE = InnoDB;
