CREATE TABLE products (
    id          UUID NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    title       TEXT,
    description TEXT,
    image_url   TEXT,
    price_minor BIGINT NOT NULL CHECK (price_minor >= 0),
    currency    TEXT    NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE sale_sessions (
    id         UUID NOT NULL PRIMARY KEY,
    name       TEXT,
    starts_at  BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK (starts_at < ends_at)
);
CREATE INDEX sale_sessions_by_start ON sale_sessions (starts_at);

-- `number` is the short name that order numbers begin with. `stock_left` is lowered only by the order writer's
-- guarded update; the CHECK is the last line against overselling.
CREATE TABLE sales (
    id                UUID NOT NULL PRIMARY KEY,
    number            BIGINT NOT NULL UNIQUE,
    session_id        UUID    NOT NULL REFERENCES sale_sessions (id),
    product_id        UUID    NOT NULL REFERENCES products (id),
    price_minor       BIGINT NOT NULL CHECK (price_minor >= 0),
    currency          TEXT    NOT NULL,
    points_price      BIGINT CHECK (points_price > 0),
    stock_total       BIGINT NOT NULL CHECK (stock_total > 0),
    stock_left        BIGINT NOT NULL CHECK (stock_left >= 0),
    stock_version     BIGINT NOT NULL DEFAULT 1,
    limit_per_buyer   BIGINT NOT NULL CHECK (limit_per_buyer > 0),
    pay_within_ms     BIGINT NOT NULL CHECK (pay_within_ms > 0),
    returns_on_refund BOOLEAN NOT NULL,
    status            TEXT    NOT NULL CHECK (status IN ('DRAFT', 'PUBLISHED', 'PAUSED', 'ENDED')),
    epoch             BIGINT NOT NULL DEFAULT 0,
    version           BIGINT NOT NULL DEFAULT 1,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    CHECK (stock_left <= stock_total)
);
CREATE INDEX sales_by_session ON sales (session_id);

CREATE TABLE sale_stock_adds (
    sale_id         UUID    NOT NULL REFERENCES sales (id),
    idempotency_key TEXT    NOT NULL,
    units           BIGINT NOT NULL CHECK (units > 0),
    at              BIGINT NOT NULL,
    PRIMARY KEY (sale_id, idempotency_key)
);

CREATE TABLE audit_log (
    id          UUID NOT NULL PRIMARY KEY,
    operator_id UUID    NOT NULL REFERENCES users (id),
    act         TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    at          BIGINT NOT NULL
);
CREATE INDEX audit_log_by_time ON audit_log (at);

-- One row. `value` grows with every operator act, in the act's transaction: nodes compare it with their snapshot's, and
-- acts take turns by locking it.
CREATE TABLE catalog_revision (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    value BIGINT NOT NULL
);
INSERT INTO catalog_revision (id, value) VALUES (1, 0);
