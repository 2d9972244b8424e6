-- Access tokens whose sealed contents no longer hold: they were revoked (`gone`), or their user got another role. Nodes read this table
-- again and again and look these tokens up. Triggers write it, so that it is complete also for programs of the previous version and for
-- statements of people. `seq` is the number of the transaction: a reader that starts over from the oldest transaction that was running at
-- its last read misses none, in whichever order they commit.
CREATE TABLE token_revocations (
    seq        BIGINT  NOT NULL,
    token_hash BYTEA   NOT NULL CHECK (octet_length(token_hash) = 32),
    expires_at BIGINT  NOT NULL,
    gone       BOOLEAN NOT NULL,
    PRIMARY KEY (seq, token_hash)
);
CREATE INDEX token_revocations_by_expiry ON token_revocations (expires_at);

-- They run as their owner, so that whoever edits needs no right on the table.
CREATE FUNCTION access_tokens_deleted() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.token_revocations (seq, token_hash, expires_at, gone)
                    SELECT pg_current_xact_id()::TEXT::BIGINT, token_hash, expires_at, TRUE FROM deleted
                    ON CONFLICT (seq, token_hash) DO UPDATE SET gone = TRUE', TG_TABLE_SCHEMA);
    RETURN NULL;
END $$;
CREATE TRIGGER access_tokens_deleted AFTER DELETE ON access_tokens
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION access_tokens_deleted();

CREATE FUNCTION users_role_changed() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.token_revocations (seq, token_hash, expires_at, gone)
                    SELECT pg_current_xact_id()::TEXT::BIGINT, token_hash, expires_at, FALSE FROM %I.access_tokens WHERE user_id = $1
                    ON CONFLICT DO NOTHING', TG_TABLE_SCHEMA, TG_TABLE_SCHEMA) USING NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER users_role_changed AFTER UPDATE OF role ON users
    FOR EACH ROW WHEN (OLD.role IS DISTINCT FROM NEW.role) EXECUTE FUNCTION users_role_changed();
