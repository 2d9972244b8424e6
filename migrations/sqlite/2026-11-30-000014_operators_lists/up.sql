-- What operators did and looked at: all of it, one operator's, one kind of act, and both.
DROP INDEX audit_log_by_time;
CREATE INDEX audit_log_by_time ON audit_log (at, id);
CREATE INDEX audit_log_by_operator ON audit_log (operator_id, at, id);
CREATE INDEX audit_log_by_act ON audit_log (act, at, id);
CREATE INDEX audit_log_by_operator_and_act ON audit_log (operator_id, act, at, id);
-- Products by name.
CREATE INDEX products_by_name ON products (name, id);
-- Orders that stand so, the newest first. All orders are read as one list for each state.
CREATE INDEX orders_by_status ON orders (status, created_at, id);
-- Users of a role by username, and users who show this name. Only ASCII letters lose their case.
ALTER TABLE users ADD COLUMN display_key TEXT GENERATED ALWAYS AS (lower(display_name)) VIRTUAL;
CREATE INDEX users_by_role ON users (role, username);
CREATE INDEX users_by_display_key ON users (display_key, role, username);
-- Attempts to sign in: all of them, and those with one username.
CREATE INDEX login_log_by_time ON login_log (at, event_id);
CREATE INDEX login_log_of ON login_log (username, at, event_id);
