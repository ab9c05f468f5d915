#include "end_to_end/servers.hpp"

namespace duet::bench {

std::vector<std::string> postgres_options() {
  std::vector<std::string> all;
  for (const char* o : {"fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=512MB", "max_wal_size=8GB",
                        "checkpoint_timeout=30min", "wal_retrieve_retry_interval=100ms"}) {
    all.push_back("-c");
    all.push_back(o);
  }
  return all;
}

std::vector<std::string> spoke_options(const std::string& kind) {
  std::vector<std::string> all = {"--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=1G",
                                  "--performance-schema=OFF", "--default-time-zone=+00:00"};
  if (kind == "mariadb") {
    for (const char* o : {"--innodb-log-file-size=1G", "--slave-parallel-threads=4", "--slave-parallel-mode=optimistic", "--relay-log=relay"})
      all.push_back(o);
  } else {
    for (const char* o : {"--innodb-redo-log-capacity=2G", "--replica-parallel-workers=4", "--relay-log=relay", "--skip-replica-start"})
      all.push_back(o);
  }
  return all;
}

namespace {

// sysbench's table; `mark` tells when everything before it has arrived; `pulse` is for the latency.
const char* const postgres_schema = R"(
CREATE TABLE sbtest (id bigint PRIMARY KEY, k integer NOT NULL, c char(120) NOT NULL, pad char(60) NOT NULL);
CREATE INDEX k_1 ON sbtest (k);
CREATE TABLE mark (id integer PRIMARY KEY, v bigint NOT NULL);
CREATE TABLE pulse (id bigint PRIMARY KEY, v char(100) NOT NULL);
INSERT INTO mark VALUES (1, 0), (2, 0);
)";

const char* const postgres_procedures = R"(
CREATE FUNCTION c_of(i bigint) RETURNS text LANGUAGE sql AS $$ SELECT left(repeat(md5(i::text) || '-', 4), 119) $$;
CREATE FUNCTION pad_of(i bigint) RETURNS text LANGUAGE sql AS $$ SELECT left(repeat(md5((-i)::text) || '-', 2), 59) $$;
CREATE PROCEDURE backlog_a(first bigint, n bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN first .. first + n - 1 LOOP
    INSERT INTO sbtest VALUES (i, i::bigint * 7919 % 500000, c_of(i), pad_of(i));
    IF i % 10 = 9 THEN COMMIT; END IF;
  END LOOP;
END $$;
CREATE PROCEDURE backlog_b(n bigint, keys bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. n LOOP
    UPDATE sbtest SET k = k + 1 WHERE id = i::bigint * 48271 % keys;
    COMMIT;
  END LOOP;
END $$;
CREATE PROCEDURE backlog_c(first bigint, n bigint) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO sbtest SELECT i, i * 7919 % 500000, c_of(i), pad_of(i) FROM generate_series(first, first + n - 1) AS i;
END $$;
CREATE PROCEDURE backlog_d(first bigint, n bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN first .. first + n - 1 LOOP
    DELETE FROM sbtest WHERE id = i;
    IF i % 10 = 9 THEN COMMIT; END IF;
  END LOOP;
END $$;
CREATE PROCEDURE crossing(first bigint, step bigint, n bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 0 .. n - 1 LOOP
    UPDATE sbtest SET k = k + 1000000 WHERE id = first + i * step;
    COMMIT;
  END LOOP;
END $$;
)";

const char* const mysql_schema = R"(
CREATE TABLE sbtest (id bigint PRIMARY KEY, k int NOT NULL, c char(120) NOT NULL, pad char(60) NOT NULL, KEY k_1 (k)) CHARACTER SET utf8mb4;
CREATE TABLE mark (id int PRIMARY KEY, v bigint NOT NULL) CHARACTER SET utf8mb4;
CREATE TABLE pulse (id bigint PRIMARY KEY, v char(100) NOT NULL) CHARACTER SET utf8mb4;
INSERT INTO mark VALUES (1, 0), (2, 0);
)";

const char* const mysql_procedures[] = {
    R"(CREATE PROCEDURE backlog_a(first bigint, n bigint)
BEGIN
  DECLARE i bigint DEFAULT first;
  WHILE i < first + n DO
    IF i % 10 = 0 THEN START TRANSACTION; END IF;
    INSERT INTO sbtest VALUES (i, i * 7919 % 500000, left(repeat(concat(sha2(i, 256), '-'), 2), 119), left(sha2(-i, 256), 59));
    IF i % 10 = 9 THEN COMMIT; END IF;
    SET i = i + 1;
  END WHILE;
END)",
    R"(CREATE PROCEDURE backlog_b(n bigint, nkeys bigint)
BEGIN
  DECLARE i bigint DEFAULT 1;
  WHILE i <= n DO
    UPDATE sbtest SET k = k + 1 WHERE id = i * 48271 % nkeys;
    SET i = i + 1;
  END WHILE;
END)",
    R"(CREATE PROCEDURE backlog_c(first bigint, n bigint)
BEGIN
  DECLARE have bigint DEFAULT 1;
  DROP TEMPORARY TABLE IF EXISTS numbers;
  CREATE TEMPORARY TABLE numbers (i bigint PRIMARY KEY) ENGINE = InnoDB;
  INSERT INTO numbers VALUES (0);
  WHILE have < n DO
    CREATE TEMPORARY TABLE more AS SELECT i + have AS i FROM numbers WHERE i + have < n;
    INSERT INTO numbers SELECT i FROM more;
    DROP TEMPORARY TABLE more;
    SET have = have * 2;
  END WHILE;
  START TRANSACTION;
  INSERT INTO sbtest SELECT first + i, (first + i) * 7919 % 500000, left(repeat(concat(sha2(first + i, 256), '-'), 2), 119),
    left(sha2(-(first + i), 256), 59) FROM numbers;
  COMMIT;
  DROP TEMPORARY TABLE numbers;
END)",
    R"(CREATE PROCEDURE backlog_d(first bigint, n bigint)
BEGIN
  DECLARE i bigint DEFAULT first;
  WHILE i < first + n DO
    IF i % 10 = 0 THEN START TRANSACTION; END IF;
    DELETE FROM sbtest WHERE id = i;
    IF i % 10 = 9 THEN COMMIT; END IF;
    SET i = i + 1;
  END WHILE;
END)",
    R"(CREATE PROCEDURE crossing(first bigint, step bigint, n bigint)
BEGIN
  DECLARE i bigint DEFAULT 0;
  WHILE i < n DO
    UPDATE sbtest SET k = k + 1000000 WHERE id = first + i * step;
    SET i = i + 1;
  END WHILE;
END)"};

}  // namespace

bool is_home(const private_server& s) { return s.kind() == "postgres"; }

void make_tables(private_server& server, const std::string& database, bool procedures) {
  if (is_home(server)) {
    server.exec(postgres_schema, database);
    if (procedures) server.exec(postgres_procedures, database);
    return;
  }
  auto session = server.session(database);
  session->exec(mysql_schema);
  if (!procedures) return;
  for (const char* p : mysql_procedures) session->exec(p);
}

// A replica gets what its source writes; its own start must not stand in its binlog.
void make_schema(private_server& server, bool replicated) {
  server.exec("CREATE DATABASE bench");
  make_tables(server, "bench", is_home(server) || !replicated);
}

std::string digest(private_server& server, const std::string& database) {
  const auto rows = server.query(
      is_home(server)
          ? "SELECT count(*), sum(id), sum(k), sum(('x' || left(encode(sha256(convert_to(c || pad, 'UTF8')), 'hex'), 8))::bit(32)::bigint) FROM (SELECT id, k, rtrim(c) c, rtrim(pad) pad FROM sbtest) t"
          : "SELECT count(*), sum(id), sum(k), sum(cast(conv(left(sha2(concat(c, pad), 256), 8), 16, 10) AS unsigned)) FROM sbtest",
      database);
  std::string text;
  for (const auto& cell : rows[0]) text += cell.value_or("none") + " ";
  return text;
}

void write_fast(private_server& server, const std::string& sql) {
  auto session = server.session("bench");
  if (is_home(server)) {
    session->exec("SET synchronous_commit = off");
  } else {
    session->exec("SET GLOBAL sync_binlog = 0, GLOBAL innodb_flush_log_at_trx_commit = 0");
    if (server.kind() == "mariadb") session->exec("SET SESSION tx_isolation = 'READ-COMMITTED'");
  }
  session->exec(sql);
  if (!is_home(server)) session->exec("SET GLOBAL sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1");
}

server_pair::server_pair(const std::string& kind) : home(postgres_options()), spoke(make_spoke(kind, spoke_options(kind))) {
  make_schema(home, false);
  make_schema(*spoke, false);
}

}  // namespace duet::bench
