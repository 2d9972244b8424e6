-- One row per decided ticket, winners and losers. `id` is sale (16 bytes), epoch (4), seq (8), big-endian.
CREATE TABLE orders (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 28),
    sale_id         BLOB    NOT NULL REFERENCES sales (id),
    sale_number     INTEGER NOT NULL,
    buyer_id        BLOB    NOT NULL REFERENCES users (id),
    quantity        INTEGER NOT NULL CHECK (quantity > 0),
    -- NULL only on a refused row whose key already belongs to another ticket.
    idempotency_key TEXT,
    status          TEXT    NOT NULL CHECK (status IN (
        'AWAITING_PAYMENT', 'PAID', 'REFUNDING', 'REFUNDED', 'CANCELLED', 'EXPIRED',
        'REFUSED_SOLD_OUT', 'REFUSED_ALREADY_BOUGHT', 'REFUSED_SALE_ENDED', 'VOIDED')),
    product_name    TEXT    NOT NULL,
    price_minor     INTEGER NOT NULL,
    currency        TEXT    NOT NULL,
    points_price    INTEGER,
    created_at      INTEGER NOT NULL,
    decided_at      INTEGER NOT NULL,
    pay_before      INTEGER NOT NULL,
    paid_at         INTEGER,
    closed_at       INTEGER,
    version         INTEGER NOT NULL DEFAULT 2
) STRICT, WITHOUT ROWID;
-- One buyer, one live order per sale.
CREATE UNIQUE INDEX orders_live ON orders (sale_id, buyer_id) WHERE status IN ('AWAITING_PAYMENT', 'PAID', 'REFUNDING');
-- One key, one ticket, for ever. Also lists a buyer's orders.
CREATE UNIQUE INDEX orders_by_key ON orders (buyer_id, idempotency_key);
CREATE INDEX orders_unpaid ON orders (pay_before) WHERE status = 'AWAITING_PAYMENT';

CREATE TABLE outbox (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    topic      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    payload    BLOB    NOT NULL,
    deliver_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
