DROP INDEX refunds_listed;
DROP INDEX payments_listed;
ALTER TABLE reconciliation_items DROP COLUMN refund_at;
ALTER TABLE reconciliation_items DROP COLUMN refund_currency;
ALTER TABLE reconciliation_items DROP COLUMN refund_amount;
ALTER TABLE reconciliation_items DROP COLUMN refund_of;
CREATE TABLE refunds_new (
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
INSERT INTO refunds_new (id, payment_id, order_id, method, amount, currency, cause, reason, requested_by, idempotency_key, status, attempts, last_code,
    created_at, tried_at, next_try_at, settled_at)
    SELECT id, payment_id, order_id, method, amount, currency, CASE cause WHEN 'EXTERNAL' THEN 'OPERATOR' ELSE cause END, reason, requested_by, idempotency_key, status, attempts, last_code,
    created_at, tried_at, next_try_at, settled_at FROM refunds;
CREATE TABLE refund_log_new (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    refund_id  BLOB NOT NULL REFERENCES refunds_new (id),
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    event      TEXT NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    code       TEXT,
    detail     TEXT
) STRICT;
INSERT INTO refund_log_new SELECT id, refund_id, at, actor, event, from_state, to_state, code, detail FROM refund_log;
DROP TABLE refund_log;
DROP TABLE refunds;
ALTER TABLE refunds_new RENAME TO refunds;
ALTER TABLE refund_log_new RENAME TO refund_log;
-- As before.
CREATE UNIQUE INDEX refunds_by_key ON refunds (requested_by, idempotency_key);
CREATE INDEX refunds_by_payment ON refunds (payment_id);
CREATE INDEX refunds_by_order ON refunds (order_id);
CREATE INDEX refunds_to_try ON refunds (method, next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX refunds_open ON refunds (created_at) WHERE settled_at IS NULL;
CREATE INDEX refunds_settled ON refunds (method, settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX refund_log_of ON refund_log (refund_id, id);
CREATE TRIGGER refunds_transition BEFORE UPDATE OF status ON refunds
    WHEN OLD.status <> NEW.status AND OLD.status || '>' || NEW.status NOT IN (
    'REQUESTED>PROCESSING', 'REQUESTED>SUCCEEDED', 'REQUESTED>FAILED',
    'PROCESSING>SUCCEEDED', 'PROCESSING>FAILED')
    BEGIN SELECT RAISE(ABORT, 'forbidden transition of refunds'); END;
CREATE TRIGGER refund_log_no_update BEFORE UPDATE ON refund_log
    BEGIN SELECT RAISE(ABORT, 'refund_log is never changed'); END;
CREATE TRIGGER refund_log_no_delete BEFORE DELETE ON refund_log
    BEGIN SELECT RAISE(ABORT, 'refund_log is never changed'); END;
