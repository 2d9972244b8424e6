CREATE TABLE products (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT    NOT NULL,
    title       TEXT,
    description TEXT,
    image_url   TEXT,
    price_minor INTEGER NOT NULL CHECK (price_minor >= 0),
    currency    TEXT    NOT NULL,
    version     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sale_sessions (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name       TEXT,
    starts_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    CHECK (starts_at < ends_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX sale_sessions_by_start ON sale_sessions (starts_at);

-- `number` is the short name that order numbers begin with. `stock_left` is lowered only by the order writer's
-- guarded update; the CHECK is the last line against overselling.
CREATE TABLE sales (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    number            INTEGER NOT NULL UNIQUE,
    session_id        BLOB    NOT NULL REFERENCES sale_sessions (id),
    product_id        BLOB    NOT NULL REFERENCES products (id),
    price_minor       INTEGER NOT NULL CHECK (price_minor >= 0),
    currency          TEXT    NOT NULL,
    points_price      INTEGER CHECK (points_price > 0),
    stock_total       INTEGER NOT NULL CHECK (stock_total > 0),
    stock_left        INTEGER NOT NULL CHECK (stock_left >= 0),
    stock_version     INTEGER NOT NULL DEFAULT 1,
    limit_per_buyer   INTEGER NOT NULL CHECK (limit_per_buyer > 0),
    pay_within_ms     INTEGER NOT NULL CHECK (pay_within_ms > 0),
    returns_on_refund INTEGER NOT NULL CHECK (returns_on_refund IN (0, 1)),
    status            TEXT    NOT NULL CHECK (status IN ('DRAFT', 'PUBLISHED', 'PAUSED', 'ENDED')),
    epoch             INTEGER NOT NULL DEFAULT 0,
    version           INTEGER NOT NULL DEFAULT 1,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    CHECK (stock_left <= stock_total)
) STRICT, WITHOUT ROWID;
CREATE INDEX sales_by_session ON sales (session_id);

CREATE TABLE sale_stock_adds (
    sale_id         BLOB    NOT NULL REFERENCES sales (id),
    idempotency_key TEXT    NOT NULL,
    units           INTEGER NOT NULL CHECK (units > 0),
    at              INTEGER NOT NULL,
    PRIMARY KEY (sale_id, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    operator_id BLOB    NOT NULL REFERENCES users (id),
    act         TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_log_by_time ON audit_log (at);

-- One row. `value` grows with every operator act, in the act's transaction: nodes compare it with their snapshot's, and
-- acts take turns by locking it.
CREATE TABLE catalog_revision (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO catalog_revision (id, value) VALUES (1, 0);
