DROP INDEX refunds_listed;
DROP INDEX payments_listed;
ALTER TABLE reconciliation_items
    DROP COLUMN refund_at,
    DROP COLUMN refund_currency,
    DROP COLUMN refund_amount,
    DROP COLUMN refund_of;
ALTER TABLE refunds DROP CONSTRAINT refunds_external, DROP CONSTRAINT refunds_cause_check, DROP COLUMN gateway_number;
UPDATE refunds SET cause = 'OPERATOR' WHERE cause = 'EXTERNAL';
ALTER TABLE refunds ADD CONSTRAINT refunds_cause_check CHECK (cause IN ('BUYER', 'OPERATOR', 'LATE_PAYMENT', 'SURPLUS'));
