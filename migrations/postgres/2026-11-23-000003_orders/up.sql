-- One row per decided ticket, winners and losers. `id` is sale (16 bytes), epoch (4), seq (8), big-endian.
CREATE TABLE orders (
    id              BYTEA    NOT NULL PRIMARY KEY CHECK (octet_length(id) = 28),
    sale_id         UUID    NOT NULL REFERENCES sales (id),
    sale_number     BIGINT NOT NULL,
    buyer_id        UUID    NOT NULL REFERENCES users (id),
    quantity        BIGINT NOT NULL CHECK (quantity > 0),
    -- NULL only on a refused row whose key already belongs to another ticket.
    idempotency_key TEXT,
    status          TEXT    NOT NULL CHECK (status IN (
        'AWAITING_PAYMENT', 'PAID', 'REFUNDING', 'REFUNDED', 'CANCELLED', 'EXPIRED',
        'REFUSED_SOLD_OUT', 'REFUSED_ALREADY_BOUGHT', 'REFUSED_SALE_ENDED', 'VOIDED')),
    product_name    TEXT    NOT NULL,
    price_minor     BIGINT NOT NULL,
    currency        TEXT    NOT NULL,
    points_price    BIGINT,
    created_at      BIGINT NOT NULL,
    decided_at      BIGINT NOT NULL,
    pay_before      BIGINT NOT NULL,
    paid_at         BIGINT,
    closed_at       BIGINT,
    version         BIGINT NOT NULL DEFAULT 2
);
-- One buyer, one live order per sale.
CREATE UNIQUE INDEX orders_live ON orders (sale_id, buyer_id) WHERE status IN ('AWAITING_PAYMENT', 'PAID', 'REFUNDING');
-- One key, one ticket, for ever. Also lists a buyer's orders.
CREATE UNIQUE INDEX orders_by_key ON orders (buyer_id, idempotency_key);
CREATE INDEX orders_unpaid ON orders (pay_before) WHERE status = 'AWAITING_PAYMENT';

CREATE TABLE outbox (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    payload    BYTEA    NOT NULL,
    deliver_at BIGINT,
    created_at BIGINT NOT NULL
);
