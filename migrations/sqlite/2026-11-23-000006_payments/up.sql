-- An attempt to pay an order. Its id, spelt as a number, is what the gateway knows it by; so numbers are unique.
CREATE TABLE payments (
    id               BLOB NOT NULL PRIMARY KEY,
    order_id         BLOB NOT NULL REFERENCES orders (id),
    buyer_id         BLOB NOT NULL REFERENCES users (id),
    idempotency_key  TEXT NOT NULL,
    method           TEXT NOT NULL CHECK (method IN ('ALIPAY', 'POINTS')),
    -- Minor units of the currency; points where it is NULL.
    amount           INTEGER NOT NULL CHECK (amount > 0),
    currency         TEXT,
    status           TEXT NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CLOSED', 'SURPLUS')),
    gateway_trade_no TEXT,
    return_url       TEXT,
    -- What came in: the amount, unless the gateway took another one, which is then not kept.
    captured         INTEGER NOT NULL DEFAULT 0 CHECK (captured >= 0),
    refund_pending   INTEGER NOT NULL DEFAULT 0 CHECK (refund_pending >= 0),
    refunded         INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    flag             TEXT CHECK (flag IN (
        'AMOUNT_MISMATCH', 'CHANGED_OUTSIDE', 'TRADE_MISMATCH', 'REFUND_REJECTED', 'REFUND_MISMATCH')),
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    settled_at       INTEGER,
    next_check_at    INTEGER,
    checks           INTEGER NOT NULL DEFAULT 0,
    CHECK ((method = 'POINTS') = (currency IS NULL)),
    -- Never more back than came in.
    CONSTRAINT payments_not_over_refunded CHECK (refund_pending + refunded <= captured),
    CHECK ((status IN ('SUCCEEDED', 'SURPLUS')) = (captured > 0)),
    CHECK (status <> 'SUCCEEDED' OR captured = amount),
    CHECK ((status = 'PENDING') = (settled_at IS NULL))
) STRICT, WITHOUT ROWID;
-- At most one payment of an order is kept.
CREATE UNIQUE INDEX payments_kept ON payments (order_id) WHERE status = 'SUCCEEDED';
-- One key, one attempt, for ever.
CREATE UNIQUE INDEX payments_by_key ON payments (buyer_id, idempotency_key);
-- One trade of the gateway, one attempt.
CREATE UNIQUE INDEX payments_by_trade ON payments (method, gateway_trade_no);
CREATE INDEX payments_by_order ON payments (order_id);
-- An order with such a row is not closed before the gateway was asked.
CREATE INDEX payments_open ON payments (order_id) WHERE status = 'PENDING' AND method = 'ALIPAY';
CREATE INDEX payments_to_check ON payments (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX payments_flagged ON payments (created_at) WHERE flag IS NOT NULL;

-- Money going back. Written before the gateway hears of it, asked for with the same id and amount until its outcome is known.
CREATE TABLE refunds (
    id              BLOB NOT NULL PRIMARY KEY,
    payment_id      BLOB NOT NULL REFERENCES payments (id),
    order_id        BLOB NOT NULL REFERENCES orders (id),
    method          TEXT NOT NULL CHECK (method IN ('ALIPAY', 'POINTS')),
    amount          INTEGER NOT NULL CHECK (amount > 0),
    currency        TEXT,
    cause           TEXT NOT NULL CHECK (cause IN ('BUYER', 'OPERATOR', 'LATE_PAYMENT', 'SURPLUS')),
    reason          TEXT,
    requested_by    BLOB REFERENCES users (id),
    idempotency_key TEXT,
    status          TEXT NOT NULL CHECK (status IN ('REQUESTED', 'PROCESSING', 'SUCCEEDED', 'FAILED')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    last_code       TEXT,
    created_at      INTEGER NOT NULL,
    tried_at        INTEGER,
    next_try_at     INTEGER,
    settled_at      INTEGER,
    CHECK ((requested_by IS NULL) = (idempotency_key IS NULL)),
    CHECK ((status IN ('SUCCEEDED', 'FAILED')) = (settled_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
-- One key, one refund, for ever.
CREATE UNIQUE INDEX refunds_by_key ON refunds (requested_by, idempotency_key);
CREATE INDEX refunds_by_payment ON refunds (payment_id);
CREATE INDEX refunds_by_order ON refunds (order_id);
CREATE INDEX refunds_to_try ON refunds (next_try_at) WHERE next_try_at IS NOT NULL;

-- One line per transition or exchange, in the transaction of the change. Never changed or removed.
CREATE TABLE payment_log (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    payment_id BLOB NOT NULL REFERENCES payments (id),
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    event      TEXT NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    code       TEXT,
    detail     TEXT
) STRICT;
CREATE INDEX payment_log_of ON payment_log (payment_id, id);

CREATE TABLE refund_log (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    refund_id  BLOB NOT NULL REFERENCES refunds (id),
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    event      TEXT NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    code       TEXT,
    detail     TEXT
) STRICT;
CREATE INDEX refund_log_of ON refund_log (refund_id, id);

-- Verified notifications, each once however often it was delivered, with what it came to. Never changed or removed.
CREATE TABLE gateway_notifications (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    notify_id    TEXT NOT NULL UNIQUE,
    number       TEXT NOT NULL,
    trade_status TEXT NOT NULL,
    verdict      TEXT NOT NULL CHECK (verdict IN (
        'ACCEPTED', 'DUPLICATE', 'STALE', 'REFUND_NOTICE', 'UNKNOWN_PAYMENT', 'WRONG_METHOD', 'AMOUNT_MISMATCH', 'FLAGGED')),
    masked       TEXT NOT NULL,
    received_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX gateway_notifications_of ON gateway_notifications (number, id);

-- Only the transitions that the models know, whoever writes.
CREATE TRIGGER orders_transition BEFORE UPDATE OF status ON orders
    WHEN OLD.status <> NEW.status AND OLD.status || '>' || NEW.status NOT IN (
    'AWAITING_PAYMENT>PAID', 'AWAITING_PAYMENT>CANCELLED', 'AWAITING_PAYMENT>EXPIRED',
    'PAID>REFUNDING', 'REFUNDING>REFUNDED', 'REFUNDING>PAID')
    BEGIN SELECT RAISE(ABORT, 'forbidden transition of orders'); END;
CREATE TRIGGER payments_transition BEFORE UPDATE OF status ON payments
    WHEN OLD.status <> NEW.status AND OLD.status || '>' || NEW.status NOT IN (
    'PENDING>SUCCEEDED', 'PENDING>FAILED', 'PENDING>CLOSED',
    'PENDING>SURPLUS', 'CLOSED>SUCCEEDED', 'CLOSED>SURPLUS')
    BEGIN SELECT RAISE(ABORT, 'forbidden transition of payments'); END;
CREATE TRIGGER refunds_transition BEFORE UPDATE OF status ON refunds
    WHEN OLD.status <> NEW.status AND OLD.status || '>' || NEW.status NOT IN (
    'REQUESTED>PROCESSING', 'REQUESTED>SUCCEEDED', 'REQUESTED>FAILED',
    'PROCESSING>SUCCEEDED', 'PROCESSING>FAILED')
    BEGIN SELECT RAISE(ABORT, 'forbidden transition of refunds'); END;

CREATE TRIGGER payment_log_no_update BEFORE UPDATE ON payment_log
    BEGIN SELECT RAISE(ABORT, 'payment_log is never changed'); END;
CREATE TRIGGER payment_log_no_delete BEFORE DELETE ON payment_log
    BEGIN SELECT RAISE(ABORT, 'payment_log is never changed'); END;
CREATE TRIGGER refund_log_no_update BEFORE UPDATE ON refund_log
    BEGIN SELECT RAISE(ABORT, 'refund_log is never changed'); END;
CREATE TRIGGER refund_log_no_delete BEFORE DELETE ON refund_log
    BEGIN SELECT RAISE(ABORT, 'refund_log is never changed'); END;
CREATE TRIGGER gateway_notifications_no_update BEFORE UPDATE ON gateway_notifications
    BEGIN SELECT RAISE(ABORT, 'gateway_notifications is never changed'); END;
CREATE TRIGGER gateway_notifications_no_delete BEFORE DELETE ON gateway_notifications
    BEGIN SELECT RAISE(ABORT, 'gateway_notifications is never changed'); END;
