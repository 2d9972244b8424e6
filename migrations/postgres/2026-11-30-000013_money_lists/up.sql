-- Refunds that were made at the gateway's own site can be booked: under its number, not under ours.
ALTER TABLE refunds
    ADD COLUMN gateway_number TEXT,
    DROP CONSTRAINT refunds_cause_check,
    ADD CONSTRAINT refunds_cause_check CHECK (cause IN ('BUYER', 'OPERATOR', 'LATE_PAYMENT', 'SURPLUS', 'EXTERNAL')),
    ADD CONSTRAINT refunds_external CHECK ((cause = 'EXTERNAL') = (gateway_number IS NOT NULL));
-- A bill knows them by this number.
CREATE INDEX refunds_by_gateway_number ON refunds (gateway_number) WHERE gateway_number IS NOT NULL;

-- The refund that a bill has and the books have not, so that it can be booked.
ALTER TABLE reconciliation_items
    ADD COLUMN refund_of       TEXT,
    ADD COLUMN refund_amount   BIGINT,
    ADD COLUMN refund_currency TEXT,
    ADD COLUMN refund_at       BIGINT;

-- Pages of all payments and of all refunds, the newest first, by what they are. What comes first is an expression that only these lists ask
-- for: SQLite would take an index of the plain columns for other statements too, while it has no statistics.
CREATE INDEX payments_listed ON payments ((method || status), created_at, id);
CREATE INDEX refunds_listed ON refunds ((status || cause), created_at, id);
