-- A difference between a bill and the books is open until a later comparison does not find it any more, or an operator closes it with a
-- reason. Its id stands for what was seen: what differs otherwise later is another difference.
CREATE TABLE reconciliation_items_new (
    day          TEXT NOT NULL,
    number       TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('MISSING_HERE', 'MISSING_THERE', 'AMOUNT', 'STATUS')),
    ours         TEXT NOT NULL,
    theirs       TEXT NOT NULL,
    found_at     INTEGER NOT NULL,
    resolved_at  INTEGER,
    id           BLOB NOT NULL,
    closed_at    INTEGER,
    closed_by    BLOB REFERENCES users (id),
    close_reason TEXT,
    PRIMARY KEY (day, number, kind),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (close_reason IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO reconciliation_items_new (day, number, kind, ours, theirs, found_at, resolved_at, id)
    SELECT day, number, kind, ours, theirs, found_at, resolved_at, randomblob(16) FROM reconciliation_items;
DROP TABLE reconciliation_items;
ALTER TABLE reconciliation_items_new RENAME TO reconciliation_items;
CREATE UNIQUE INDEX reconciliation_items_by_id ON reconciliation_items (id);
CREATE INDEX reconciliation_items_of ON reconciliation_items (number);
CREATE INDEX reconciliation_items_by_time ON reconciliation_items (found_at, id);
CREATE INDEX reconciliation_items_open ON reconciliation_items (found_at, id)
    WHERE resolved_at IS NULL AND closed_at IS NULL;
