-- The gateway's bill of a day, compared with the books: the last comparison of each day.
CREATE TABLE reconciliations (
    -- In the gateway's zone, `2026-11-23`.
    day           TEXT NOT NULL PRIMARY KEY,
    rows_found    INTEGER NOT NULL,
    matched       INTEGER NOT NULL,
    -- Minor units.
    paid          INTEGER NOT NULL,
    refunded      INTEGER NOT NULL,
    runs          INTEGER NOT NULL,
    compared_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What differs. A difference that a later comparison does not find is resolved, and stays listed.
CREATE TABLE reconciliation_items (
    day         TEXT NOT NULL,
    number      TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('MISSING_HERE', 'MISSING_THERE', 'AMOUNT', 'STATUS')),
    ours        TEXT NOT NULL,
    theirs      TEXT NOT NULL,
    found_at    INTEGER NOT NULL,
    resolved_at INTEGER,
    PRIMARY KEY (day, number, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX reconciliation_items_open ON reconciliation_items (kind) WHERE resolved_at IS NULL;
CREATE INDEX reconciliation_items_of ON reconciliation_items (number);
