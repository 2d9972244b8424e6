CREATE TABLE users (
    id            UUID NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL UNIQUE,
    display_name  TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('BUYER', 'OPERATOR')),
    created_at    BIGINT NOT NULL
);

-- Only the SHA-256 of a token is stored: a stolen database opens no session.
CREATE TABLE access_tokens (
    token_hash BYTEA    NOT NULL PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id    UUID    NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX access_tokens_by_user ON access_tokens (user_id);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);

CREATE TABLE login_log (
    id       BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id UUID    NOT NULL UNIQUE,
    user_id  UUID,
    username TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,
    at       BIGINT NOT NULL
);
