-- MariaDB has no server_uuid that stays with its data: Duet gives it one.
CREATE TABLE IF NOT EXISTS duet.server (
  id   tinyint NOT NULL PRIMARY KEY,
  uuid char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB;
