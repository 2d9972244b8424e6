CREATE TABLE users (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    username      TEXT    NOT NULL UNIQUE,
    display_name  TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('BUYER', 'OPERATOR')),
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Only the SHA-256 of a token is stored: a stolen database opens no session.
CREATE TABLE access_tokens (
    token_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id    BLOB    NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_tokens_by_user ON access_tokens (user_id);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);

CREATE TABLE login_log (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    event_id BLOB    NOT NULL UNIQUE,
    user_id  BLOB,
    username TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,
    at       INTEGER NOT NULL
) STRICT;
