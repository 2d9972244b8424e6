-- Access tokens whose sealed contents no longer hold: they were revoked (`gone`), or their user got another role. Nodes read this table
-- again and again and look these tokens up. Triggers write it, so that it is complete also for programs of the previous version and for
-- statements of people.
CREATE TABLE token_revocations (
    seq        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    token_hash BLOB    NOT NULL CHECK (length(token_hash) = 32),
    expires_at INTEGER NOT NULL,
    gone       INTEGER NOT NULL CHECK (gone IN (0, 1))
) STRICT;
CREATE INDEX token_revocations_by_expiry ON token_revocations (expires_at);

CREATE TRIGGER access_tokens_deleted AFTER DELETE ON access_tokens
BEGIN
    INSERT INTO token_revocations (token_hash, expires_at, gone) VALUES (OLD.token_hash, OLD.expires_at, 1);
END;

CREATE TRIGGER users_role_changed AFTER UPDATE OF role ON users WHEN OLD.role <> NEW.role
BEGIN
    INSERT INTO token_revocations (token_hash, expires_at, gone)
        SELECT token_hash, expires_at, 0 FROM access_tokens WHERE user_id = NEW.id;
END;
