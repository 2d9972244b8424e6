-- More roles than buyers and operators. Nothing on the disk changes with what a column accepts, so the text of the table's check is
-- changed and not the table: building `users` anew would look at every row that refers to one.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '(''BUYER'', ''OPERATOR'')', '(''BUYER'', ''SUPPORT'', ''OBSERVER'', ''OPERATOR'')')
    WHERE type = 'table' AND name = 'users';
PRAGMA writable_schema = RESET;

-- Whether the sign-in was proven with a second factor too.
ALTER TABLE access_tokens ADD COLUMN second_factor INTEGER NOT NULL DEFAULT 0 CHECK (second_factor IN (0, 1));

-- Second factors (TOTP). `secret` is encrypted if the shop has a key. In force once confirmed with a code. `last_step`: the time step of
-- the last code that was accepted; no code of it or of an earlier one is accepted again.
CREATE TABLE second_factors (
    user_id      BLOB    NOT NULL PRIMARY KEY REFERENCES users (id),
    secret       BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER,
    last_step    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Codes for who has lost the device, as hashes. Each is accepted once.
CREATE TABLE recovery_codes (
    user_id   BLOB NOT NULL REFERENCES users (id),
    code_hash BLOB NOT NULL CHECK (length(code_hash) = 32),
    used_at   INTEGER,
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;
