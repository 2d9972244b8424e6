-- A difference between a bill and the books is open until a later comparison does not find it any more, or an operator closes it with a
-- reason. Its id stands for what was seen: what differs otherwise later is another difference.
ALTER TABLE reconciliation_items
    ADD COLUMN id           UUID NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN closed_at    BIGINT,
    ADD COLUMN closed_by    UUID REFERENCES users (id),
    ADD COLUMN close_reason TEXT,
    ADD CONSTRAINT reconciliation_items_closed CHECK (
        (closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (close_reason IS NULL)
    );
ALTER TABLE reconciliation_items ALTER COLUMN id DROP DEFAULT;
CREATE UNIQUE INDEX reconciliation_items_by_id ON reconciliation_items (id);
CREATE INDEX reconciliation_items_by_time ON reconciliation_items (found_at, id);
DROP INDEX reconciliation_items_open;
CREATE INDEX reconciliation_items_open ON reconciliation_items (found_at, id)
    WHERE resolved_at IS NULL AND closed_at IS NULL;
