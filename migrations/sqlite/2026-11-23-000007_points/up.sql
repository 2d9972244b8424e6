-- Loyalty points: accounts, a ledger of double entries, and holds that are the fence of Try, Confirm and Cancel. Nothing here refers to
-- the tables of the shop: points may live in a database of their own.
CREATE TABLE points_accounts (
    user_id   BLOB    NOT NULL PRIMARY KEY,
    posted    INTEGER NOT NULL DEFAULT 0,
    reserved  INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    opened_at INTEGER NOT NULL,
    CHECK (posted >= reserved)
) STRICT, WITHOUT ROWID;

-- The row is the fence: one per branch of a global transaction, never deleted. `of_xid` and `of_branch` name the debit that a
-- credit gives back, `returned` is what credits have taken of a debit so far.
CREATE TABLE points_reservations (
    xid         BLOB    NOT NULL,
    branch      INTEGER NOT NULL,
    user_id     BLOB    NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('DEBIT', 'CREDIT')),
    amount      INTEGER NOT NULL CHECK (amount > 0),
    of_xid      BLOB,
    of_branch   INTEGER,
    returned    INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0),
    state       TEXT    NOT NULL CHECK (state IN ('TRIED', 'CONFIRMED', 'CANCELLED', 'SUSPENDED', 'REJECTED')),
    reason      TEXT,
    subject     TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    resolved_at INTEGER,
    PRIMARY KEY (xid, branch),
    CHECK (returned <= amount),
    CHECK ((kind = 'CREDIT') = (of_xid IS NOT NULL) AND (of_xid IS NULL) = (of_branch IS NULL)),
    CHECK ((state = 'TRIED') = (resolved_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX points_reservations_pending ON points_reservations (user_id) WHERE state = 'TRIED';
CREATE INDEX points_reservations_returns ON points_reservations (of_xid, of_branch) WHERE of_xid IS NOT NULL;

-- A transfer comes from an act outside of transactions, named by `reference`, or from a confirmed reservation.
CREATE TABLE points_transfers (
    id          BLOB    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('WELCOME', 'GRANT', 'PAYMENT', 'REFUND')),
    reference   TEXT,
    xid         BLOB,
    branch      INTEGER,
    operator_id BLOB,
    reason      TEXT,
    subject     TEXT,
    at          INTEGER NOT NULL,
    CHECK ((reference IS NULL) = (xid IS NOT NULL)),
    FOREIGN KEY (xid, branch) REFERENCES points_reservations (xid, branch)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX points_transfers_by_reference ON points_transfers (reference) WHERE reference IS NOT NULL;
CREATE UNIQUE INDEX points_transfers_by_branch ON points_transfers (xid, branch) WHERE xid IS NOT NULL;

-- Each entry must, at the commit, stand against one with the opposite amount, and no two against the same: so the sum of each
-- transfer is zero. The shop's own side is the account of zeros; it has no balance that all payments would wait for.
CREATE TABLE points_entries (
    transfer_id BLOB    NOT NULL REFERENCES points_transfers (id),
    account_id  BLOB    NOT NULL,
    amount      INTEGER NOT NULL CHECK (amount <> 0),
    against_id  BLOB    NOT NULL,
    opposite    INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (transfer_id, account_id, amount),
    UNIQUE (transfer_id, against_id),
    CHECK (opposite = -amount AND against_id <> account_id),
    FOREIGN KEY (transfer_id, against_id, opposite) REFERENCES points_entries (transfer_id, account_id, amount)
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
CREATE INDEX points_entries_by_account ON points_entries (account_id, at, transfer_id);

-- Global transactions, beside the orders that decide them.
CREATE TABLE global_transactions (
    xid         BLOB    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    args        TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('TRYING', 'CONFIRMING', 'CANCELLING', 'CONFIRMED', 'CANCELLED')),
    reason      TEXT,
    last_error  TEXT,
    deadline    INTEGER NOT NULL,
    next_run_at INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT    NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    CHECK ((state IN ('CONFIRMED', 'CANCELLED')) = (ended_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX global_transactions_due ON global_transactions (next_run_at)
    WHERE state IN ('TRYING', 'CONFIRMING', 'CANCELLING');

CREATE TABLE branch_transactions (
    xid         BLOB    NOT NULL REFERENCES global_transactions (xid),
    branch      INTEGER NOT NULL,
    participant TEXT    NOT NULL,
    args        TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('REGISTERED', 'CONFIRMED', 'CANCELLED')),
    PRIMARY KEY (xid, branch)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER points_transfers_are_kept BEFORE UPDATE ON points_transfers
BEGIN SELECT RAISE(ABORT, 'rows of points_transfers stay as they are'); END;
CREATE TRIGGER points_transfers_are_not_deleted BEFORE DELETE ON points_transfers
BEGIN SELECT RAISE(ABORT, 'rows of points_transfers stay as they are'); END;
CREATE TRIGGER points_entries_are_kept BEFORE UPDATE ON points_entries
BEGIN SELECT RAISE(ABORT, 'rows of points_entries stay as they are'); END;
CREATE TRIGGER points_entries_are_not_deleted BEFORE DELETE ON points_entries
BEGIN SELECT RAISE(ABORT, 'rows of points_entries stay as they are'); END;
CREATE TRIGGER points_reservations_are_kept BEFORE DELETE ON points_reservations
BEGIN SELECT RAISE(ABORT, 'rows of points_reservations stay as they are'); END;
CREATE TRIGGER points_reservations_resolve_once BEFORE UPDATE ON points_reservations
WHEN OLD.state <> 'TRIED' AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'a reservation is resolved once'); END;
CREATE TRIGGER global_transactions_decide_once BEFORE UPDATE ON global_transactions
WHEN NEW.state <> OLD.state
    AND NOT (OLD.state = 'TRYING' AND NEW.state IN ('CONFIRMING', 'CANCELLING'))
    AND NOT (OLD.state = 'CONFIRMING' AND NEW.state = 'CONFIRMED')
    AND NOT (OLD.state = 'CANCELLING' AND NEW.state = 'CANCELLED')
BEGIN SELECT RAISE(ABORT, 'a global transaction is decided once'); END;
