DROP TRIGGER orders_transition ON orders;
DROP TABLE gateway_notifications;
DROP TABLE refund_log;
DROP TABLE payment_log;
DROP TABLE refunds;
DROP TABLE payments;
DROP FUNCTION refuse_transition();
DROP FUNCTION refuse_change();
