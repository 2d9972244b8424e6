-- Nodes that run, and jobs that only one of them does at a time. A lease is live while `beat` changes: nobody's clock counts.
CREATE TABLE nodes (
    name       TEXT   NOT NULL PRIMARY KEY,
    roles      TEXT   NOT NULL,
    address    TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL
);

CREATE TABLE leases (
    job    TEXT   NOT NULL PRIMARY KEY,
    holder TEXT   NOT NULL,
    token  BIGINT NOT NULL,
    beat   BIGINT NOT NULL
);

-- Which node wrote the event, and so announces it at once. The relay's lease holder takes over what nobody announced.
ALTER TABLE outbox ADD COLUMN origin TEXT NOT NULL DEFAULT current_setting('application_name');
