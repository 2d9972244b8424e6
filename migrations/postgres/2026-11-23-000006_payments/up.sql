-- An attempt to pay an order. Its id, spelt as a number, is what the gateway knows it by; so numbers are unique.
CREATE TABLE payments (
    id               UUID NOT NULL PRIMARY KEY,
    order_id         BYTEA NOT NULL REFERENCES orders (id),
    buyer_id         UUID NOT NULL REFERENCES users (id),
    idempotency_key  TEXT NOT NULL,
    method           TEXT NOT NULL CHECK (method IN ('ALIPAY', 'POINTS')),
    -- Minor units of the currency; points where it is NULL.
    amount           BIGINT NOT NULL CHECK (amount > 0),
    currency         TEXT,
    status           TEXT NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CLOSED', 'SURPLUS')),
    gateway_trade_no TEXT,
    return_url       TEXT,
    -- What came in: the amount, unless the gateway took another one, which is then not kept.
    captured         BIGINT NOT NULL DEFAULT 0 CHECK (captured >= 0),
    refund_pending   BIGINT NOT NULL DEFAULT 0 CHECK (refund_pending >= 0),
    refunded         BIGINT NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    flag             TEXT CHECK (flag IN (
        'AMOUNT_MISMATCH', 'CHANGED_OUTSIDE', 'TRADE_MISMATCH', 'REFUND_REJECTED', 'REFUND_MISMATCH')),
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    settled_at       BIGINT,
    next_check_at    BIGINT,
    checks           BIGINT NOT NULL DEFAULT 0,
    CHECK ((method = 'POINTS') = (currency IS NULL)),
    -- Never more back than came in.
    CONSTRAINT payments_not_over_refunded CHECK (refund_pending + refunded <= captured),
    CHECK ((status IN ('SUCCEEDED', 'SURPLUS')) = (captured > 0)),
    CHECK (status <> 'SUCCEEDED' OR captured = amount),
    CHECK ((status = 'PENDING') = (settled_at IS NULL))
);
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
    id              UUID NOT NULL PRIMARY KEY,
    payment_id      UUID NOT NULL REFERENCES payments (id),
    order_id        BYTEA NOT NULL REFERENCES orders (id),
    method          TEXT NOT NULL CHECK (method IN ('ALIPAY', 'POINTS')),
    amount          BIGINT NOT NULL CHECK (amount > 0),
    currency        TEXT,
    cause           TEXT NOT NULL CHECK (cause IN ('BUYER', 'OPERATOR', 'LATE_PAYMENT', 'SURPLUS')),
    reason          TEXT,
    requested_by    UUID REFERENCES users (id),
    idempotency_key TEXT,
    status          TEXT NOT NULL CHECK (status IN ('REQUESTED', 'PROCESSING', 'SUCCEEDED', 'FAILED')),
    attempts        BIGINT NOT NULL DEFAULT 0,
    last_code       TEXT,
    created_at      BIGINT NOT NULL,
    tried_at        BIGINT,
    next_try_at     BIGINT,
    settled_at      BIGINT,
    CHECK ((requested_by IS NULL) = (idempotency_key IS NULL)),
    CHECK ((status IN ('SUCCEEDED', 'FAILED')) = (settled_at IS NOT NULL))
);
-- One key, one refund, for ever.
CREATE UNIQUE INDEX refunds_by_key ON refunds (requested_by, idempotency_key);
CREATE INDEX refunds_by_payment ON refunds (payment_id);
CREATE INDEX refunds_by_order ON refunds (order_id);
CREATE INDEX refunds_to_try ON refunds (next_try_at) WHERE next_try_at IS NOT NULL;

-- One line per transition or exchange, in the transaction of the change. Never changed or removed.
CREATE TABLE payment_log (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id UUID NOT NULL REFERENCES payments (id),
    at         BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    event      TEXT NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    code       TEXT,
    detail     TEXT
);
CREATE INDEX payment_log_of ON payment_log (payment_id, id);

CREATE TABLE refund_log (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    refund_id  UUID NOT NULL REFERENCES refunds (id),
    at         BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    event      TEXT NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    code       TEXT,
    detail     TEXT
);
CREATE INDEX refund_log_of ON refund_log (refund_id, id);

-- Verified notifications, each once however often it was delivered, with what it came to. Never changed or removed.
CREATE TABLE gateway_notifications (
    id           BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notify_id    TEXT NOT NULL UNIQUE,
    number       TEXT NOT NULL,
    trade_status TEXT NOT NULL,
    verdict      TEXT NOT NULL CHECK (verdict IN (
        'ACCEPTED', 'DUPLICATE', 'STALE', 'REFUND_NOTICE', 'UNKNOWN_PAYMENT', 'WRONG_METHOD', 'AMOUNT_MISMATCH', 'FLAGGED')),
    masked       TEXT NOT NULL,
    received_at  BIGINT NOT NULL
);
CREATE INDEX gateway_notifications_of ON gateway_notifications (number, id);

-- Only the transitions that the models know, whoever writes.
CREATE FUNCTION refuse_transition() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'forbidden transition of %: % to %', TG_TABLE_NAME, OLD.status, NEW.status
    USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER orders_transition BEFORE UPDATE OF status ON orders FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
    ('AWAITING_PAYMENT', 'PAID'), ('AWAITING_PAYMENT', 'CANCELLED'), ('AWAITING_PAYMENT', 'EXPIRED'),
    ('PAID', 'REFUNDING'), ('REFUNDING', 'REFUNDED'), ('REFUNDING', 'PAID')))
    EXECUTE FUNCTION refuse_transition();
CREATE TRIGGER payments_transition BEFORE UPDATE OF status ON payments FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
    ('PENDING', 'SUCCEEDED'), ('PENDING', 'FAILED'), ('PENDING', 'CLOSED'),
    ('PENDING', 'SURPLUS'), ('CLOSED', 'SUCCEEDED'), ('CLOSED', 'SURPLUS')))
    EXECUTE FUNCTION refuse_transition();
CREATE TRIGGER refunds_transition BEFORE UPDATE OF status ON refunds FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
    ('REQUESTED', 'PROCESSING'), ('REQUESTED', 'SUCCEEDED'), ('REQUESTED', 'FAILED'),
    ('PROCESSING', 'SUCCEEDED'), ('PROCESSING', 'FAILED')))
    EXECUTE FUNCTION refuse_transition();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is never changed', TG_TABLE_NAME USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER payment_log_kept BEFORE UPDATE OR DELETE ON payment_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refund_log_kept BEFORE UPDATE OR DELETE ON refund_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER gateway_notifications_kept BEFORE UPDATE OR DELETE ON gateway_notifications FOR EACH ROW EXECUTE FUNCTION refuse_change();
