-- What is looked for must not be looked for in a whole table, nor may SQLite take the index of a unique constraint for it while it has
-- no statistics: the method comes first, then the moment, in their order.
DROP INDEX payments_to_check;
CREATE INDEX payments_to_check ON payments (method, next_check_at) WHERE next_check_at IS NOT NULL;
DROP INDEX refunds_to_try;
CREATE INDEX refunds_to_try ON refunds (method, next_try_at) WHERE next_try_at IS NOT NULL;
-- What people should look at.
CREATE INDEX payments_pending ON payments (expires_at) WHERE status = 'PENDING';
CREATE INDEX refunds_open ON refunds (created_at) WHERE settled_at IS NULL;
-- What a day's bill is compared with.
CREATE INDEX payments_settled ON payments (method, settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX refunds_settled ON refunds (method, settled_at) WHERE settled_at IS NOT NULL;
-- What was done to a thing, the newest first.
CREATE INDEX audit_log_of ON audit_log (subject, at, id);
-- The sessions that a node remembers.
CREATE INDEX sale_sessions_by_end ON sale_sessions (ends_at);
