DROP INDEX reconciliation_items_open;
DROP INDEX reconciliation_items_by_time;
DROP INDEX reconciliation_items_by_id;
ALTER TABLE reconciliation_items
    DROP CONSTRAINT reconciliation_items_closed,
    DROP COLUMN id,
    DROP COLUMN closed_at,
    DROP COLUMN closed_by,
    DROP COLUMN close_reason;
CREATE INDEX reconciliation_items_open ON reconciliation_items (kind) WHERE resolved_at IS NULL;
