DROP TRIGGER orders_transition;
DROP TABLE gateway_notifications;
DROP TABLE refund_log;
DROP TABLE payment_log;
DROP TABLE refunds;
DROP TABLE payments;
