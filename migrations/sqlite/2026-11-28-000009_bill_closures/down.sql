DROP INDEX reconciliation_items_open;
DROP INDEX reconciliation_items_by_time;
DROP INDEX reconciliation_items_by_id;
CREATE TABLE reconciliation_items_old (
    day         TEXT NOT NULL,
    number      TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('MISSING_HERE', 'MISSING_THERE', 'AMOUNT', 'STATUS')),
    ours        TEXT NOT NULL,
    theirs      TEXT NOT NULL,
    found_at    INTEGER NOT NULL,
    resolved_at INTEGER,
    PRIMARY KEY (day, number, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO reconciliation_items_old (day, number, kind, ours, theirs, found_at, resolved_at)
    SELECT day, number, kind, ours, theirs, found_at, resolved_at FROM reconciliation_items;
DROP TABLE reconciliation_items;
ALTER TABLE reconciliation_items_old RENAME TO reconciliation_items;
CREATE INDEX reconciliation_items_open ON reconciliation_items (kind) WHERE resolved_at IS NULL;
CREATE INDEX reconciliation_items_of ON reconciliation_items (number);
