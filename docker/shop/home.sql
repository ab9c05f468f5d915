-- The shop at home, PostgreSQL. Some names and types differ from the spoke's on purpose.
CREATE TYPE order_status AS ENUM ('placed', 'paid', 'sent');

CREATE TABLE customer (
  id            bigint PRIMARY KEY,
  full_name     text NOT NULL,            -- the spoke calls it name
  email         text,
  newsletter    boolean NOT NULL,
  since         date NOT NULL,
  note          text,
  internal_memo text                      -- stays here
);

CREATE TABLE product (
  id         bigint PRIMARY KEY,
  title      text NOT NULL,
  price      numeric(10,2) NOT NULL,
  stock      integer NOT NULL,
  changed_at timestamptz(6) NOT NULL
);

CREATE TABLE orders (
  id          bigint PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customer,
  status      order_status NOT NULL,
  placed_at   timestamptz(6) NOT NULL
);

CREATE TABLE order_line (
  order_id   bigint NOT NULL REFERENCES orders,
  line       smallint NOT NULL,
  product_id bigint NOT NULL REFERENCES product,
  quantity   integer NOT NULL,
  price      numeric(10,2) NOT NULL,
  PRIMARY KEY (order_id, line)
);

-- Both halves of a pair always sum to 1000: whoever sees another sum saw half a transaction.
CREATE TABLE counter (
  pair  integer NOT NULL,
  half  smallint NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY (pair, half)
);

-- Two-way sync compares with the old values, so the log must carry them.
ALTER TABLE customer REPLICA IDENTITY FULL;
ALTER TABLE product REPLICA IDENTITY FULL;
ALTER TABLE orders REPLICA IDENTITY FULL;
ALTER TABLE order_line REPLICA IDENTITY FULL;
ALTER TABLE counter REPLICA IDENTITY FULL;
