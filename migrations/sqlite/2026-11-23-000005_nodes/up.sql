-- Nodes that run, and jobs that only one of them does at a time. A lease is live while `beat` changes: nobody's clock counts.
CREATE TABLE nodes (
    name       TEXT    NOT NULL PRIMARY KEY,
    roles      TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    job    TEXT    NOT NULL PRIMARY KEY,
    holder TEXT    NOT NULL,
    token  INTEGER NOT NULL,
    beat   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which node wrote the event. On SQLite there is one.
ALTER TABLE outbox ADD COLUMN origin TEXT NOT NULL DEFAULT '';
