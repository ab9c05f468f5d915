-- The shop at the spoke, MySQL or MariaDB.
CREATE TABLE customer (
  id         bigint PRIMARY KEY,
  name       varchar(200) NOT NULL,
  email      varchar(200),
  newsletter tinyint(1) NOT NULL,
  since      date NOT NULL,
  note       text
) CHARACTER SET utf8mb4;

CREATE TABLE product (
  id         bigint PRIMARY KEY,
  title      varchar(200) NOT NULL,
  price      decimal(10,2) NOT NULL,
  stock      int NOT NULL,
  changed_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) CHARACTER SET utf8mb4;

CREATE TABLE orders (
  id          bigint PRIMARY KEY,
  customer_id bigint NOT NULL,
  status      enum('placed', 'paid', 'sent') NOT NULL,
  placed_at   timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  FOREIGN KEY (customer_id) REFERENCES customer (id)
) CHARACTER SET utf8mb4;

CREATE TABLE order_line (
  order_id   bigint NOT NULL,
  line       smallint NOT NULL,
  product_id bigint NOT NULL,
  quantity   int NOT NULL,
  price      decimal(10,2) NOT NULL,
  PRIMARY KEY (order_id, line),
  FOREIGN KEY (order_id) REFERENCES orders (id),
  FOREIGN KEY (product_id) REFERENCES product (id)
) CHARACTER SET utf8mb4;

CREATE TABLE counter (
  pair  int NOT NULL,
  half  smallint NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY (pair, half)
) CHARACTER SET utf8mb4;
