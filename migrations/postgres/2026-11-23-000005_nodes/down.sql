DROP TABLE leases;
DROP TABLE nodes;
ALTER TABLE outbox DROP COLUMN origin;
