-- The gateway's bill of a day, compared with the books: the last comparison of each day.
CREATE TABLE reconciliations (
    -- In the gateway's zone, `2026-11-23`.
    day           TEXT NOT NULL PRIMARY KEY,
    rows_found    BIGINT NOT NULL,
    matched       BIGINT NOT NULL,
    -- Minor units.
    paid          BIGINT NOT NULL,
    refunded      BIGINT NOT NULL,
    runs          BIGINT NOT NULL,
    compared_at   BIGINT NOT NULL
);

-- What differs. A difference that a later comparison does not find is resolved, and stays listed.
CREATE TABLE reconciliation_items (
    day         TEXT NOT NULL,
    number      TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('MISSING_HERE', 'MISSING_THERE', 'AMOUNT', 'STATUS')),
    ours        TEXT NOT NULL,
    theirs      TEXT NOT NULL,
    found_at    BIGINT NOT NULL,
    resolved_at BIGINT,
    PRIMARY KEY (day, number, kind)
);
CREATE INDEX reconciliation_items_open ON reconciliation_items (kind) WHERE resolved_at IS NULL;
CREATE INDEX reconciliation_items_of ON reconciliation_items (number);
