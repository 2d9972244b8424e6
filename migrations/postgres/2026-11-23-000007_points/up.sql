-- Loyalty points: accounts, a ledger of double entries, and holds that are the fence of Try, Confirm and Cancel. Nothing here refers to
-- the tables of the shop: points may live in a database of their own.
CREATE TABLE points_accounts (
    user_id   UUID   NOT NULL PRIMARY KEY,
    posted    BIGINT NOT NULL DEFAULT 0,
    reserved  BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    opened_at BIGINT NOT NULL,
    CHECK (posted >= reserved)
);

-- The row is the fence: one per branch of a global transaction, never deleted. `of_xid` and `of_branch` name the debit that a
-- credit gives back, `returned` is what credits have taken of a debit so far.
CREATE TABLE points_reservations (
    xid         UUID   NOT NULL,
    branch      BIGINT NOT NULL,
    user_id     UUID   NOT NULL,
    kind        TEXT   NOT NULL CHECK (kind IN ('DEBIT', 'CREDIT')),
    amount      BIGINT NOT NULL CHECK (amount > 0),
    of_xid      UUID,
    of_branch   BIGINT,
    returned    BIGINT NOT NULL DEFAULT 0 CHECK (returned >= 0),
    state       TEXT   NOT NULL CHECK (state IN ('TRIED', 'CONFIRMED', 'CANCELLED', 'SUSPENDED', 'REJECTED')),
    reason      TEXT,
    subject     TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    resolved_at BIGINT,
    PRIMARY KEY (xid, branch),
    CHECK (returned <= amount),
    CHECK ((kind = 'CREDIT') = (of_xid IS NOT NULL) AND (of_xid IS NULL) = (of_branch IS NULL)),
    CHECK ((state = 'TRIED') = (resolved_at IS NULL))
);
CREATE INDEX points_reservations_pending ON points_reservations (user_id) WHERE state = 'TRIED';
CREATE INDEX points_reservations_returns ON points_reservations (of_xid, of_branch) WHERE of_xid IS NOT NULL;

-- A transfer comes from an act outside of transactions, named by `reference`, or from a confirmed reservation.
CREATE TABLE points_transfers (
    id          UUID   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL CHECK (kind IN ('WELCOME', 'GRANT', 'PAYMENT', 'REFUND')),
    reference   TEXT,
    xid         UUID,
    branch      BIGINT,
    operator_id UUID,
    reason      TEXT,
    subject     TEXT,
    at          BIGINT NOT NULL,
    CHECK ((reference IS NULL) = (xid IS NOT NULL)),
    FOREIGN KEY (xid, branch) REFERENCES points_reservations (xid, branch)
);
CREATE UNIQUE INDEX points_transfers_by_reference ON points_transfers (reference) WHERE reference IS NOT NULL;
CREATE UNIQUE INDEX points_transfers_by_branch ON points_transfers (xid, branch) WHERE xid IS NOT NULL;

-- Each entry must, at the commit, stand against one with the opposite amount, and no two against the same: so the sum of each
-- transfer is zero. The shop's own side is the account of zeros; it has no balance that all payments would wait for.
CREATE TABLE points_entries (
    transfer_id UUID   NOT NULL REFERENCES points_transfers (id),
    account_id  UUID   NOT NULL,
    amount      BIGINT NOT NULL CHECK (amount <> 0),
    against_id  UUID   NOT NULL,
    opposite    BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (transfer_id, account_id, amount),
    UNIQUE (transfer_id, against_id),
    CHECK (opposite = -amount AND against_id <> account_id),
    FOREIGN KEY (transfer_id, against_id, opposite) REFERENCES points_entries (transfer_id, account_id, amount)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX points_entries_by_account ON points_entries (account_id, at, transfer_id);

-- Global transactions, beside the orders that decide them.
CREATE TABLE global_transactions (
    xid         UUID   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    args        TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('TRYING', 'CONFIRMING', 'CANCELLING', 'CONFIRMED', 'CANCELLED')),
    reason      TEXT,
    last_error  TEXT,
    deadline    BIGINT NOT NULL,
    next_run_at BIGINT NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT   NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    CHECK ((state IN ('CONFIRMED', 'CANCELLED')) = (ended_at IS NOT NULL))
);
CREATE INDEX global_transactions_due ON global_transactions (next_run_at)
    WHERE state IN ('TRYING', 'CONFIRMING', 'CANCELLING');

CREATE TABLE branch_transactions (
    xid         UUID   NOT NULL REFERENCES global_transactions (xid),
    branch      BIGINT NOT NULL,
    participant TEXT   NOT NULL,
    args        TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('REGISTERED', 'CONFIRMED', 'CANCELLED')),
    PRIMARY KEY (xid, branch)
);

CREATE OR REPLACE FUNCTION refuse_points_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % stay as they are', TG_TABLE_NAME USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER points_transfers_are_kept BEFORE UPDATE OR DELETE ON points_transfers
    FOR EACH ROW EXECUTE FUNCTION refuse_points_change();
CREATE TRIGGER points_entries_are_kept BEFORE UPDATE OR DELETE ON points_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_points_change();
CREATE TRIGGER points_reservations_are_kept BEFORE DELETE ON points_reservations
    FOR EACH ROW EXECUTE FUNCTION refuse_points_change();
CREATE TRIGGER points_reservations_resolve_once BEFORE UPDATE ON points_reservations
    FOR EACH ROW WHEN (OLD.state <> 'TRIED' AND NEW.state <> OLD.state) EXECUTE FUNCTION refuse_points_change();
CREATE TRIGGER global_transactions_decide_once BEFORE UPDATE ON global_transactions
    FOR EACH ROW WHEN (
        NEW.state <> OLD.state
        AND NOT (OLD.state = 'TRYING' AND NEW.state IN ('CONFIRMING', 'CANCELLING'))
        AND NOT (OLD.state = 'CONFIRMING' AND NEW.state = 'CONFIRMED')
        AND NOT (OLD.state = 'CANCELLING' AND NEW.state = 'CANCELLED')
    ) EXECUTE FUNCTION refuse_points_change();
