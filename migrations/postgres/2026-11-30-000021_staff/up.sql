-- More roles than buyers and operators. The check is not looked at for the rows that are there: they have fewer roles.
ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('BUYER', 'SUPPORT', 'OBSERVER', 'OPERATOR')) NOT VALID;

-- Whether the sign-in was proven with a second factor too.
ALTER TABLE access_tokens ADD COLUMN second_factor BOOLEAN NOT NULL DEFAULT FALSE;

-- Second factors (TOTP). `secret` is encrypted if the shop has a key. In force once confirmed with a code. `last_step`: the time step of
-- the last code that was accepted; no code of it or of an earlier one is accepted again.
CREATE TABLE second_factors (
    user_id      UUID   NOT NULL PRIMARY KEY REFERENCES users (id),
    secret       BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    confirmed_at BIGINT,
    last_step    BIGINT NOT NULL
);

-- Codes for who has lost the device, as hashes. Each is accepted once.
CREATE TABLE recovery_codes (
    user_id   UUID  NOT NULL REFERENCES users (id),
    code_hash BYTEA NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at   BIGINT,
    PRIMARY KEY (user_id, code_hash)
);
