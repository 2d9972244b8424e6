-- The embedded broker: a log per (topic, partition), read through one cursor per subscription. Ids grow over all of them
-- and are never used twice.
CREATE TABLE broker_messages (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    topic        TEXT NOT NULL,
    partition    INTEGER NOT NULL,
    key          BLOB NOT NULL,
    payload      BLOB NOT NULL,
    -- NULL on ordered topics. Each row stands in one of the two indexes.
    deliver_at   INTEGER,
    published_at INTEGER NOT NULL
) STRICT;
CREATE INDEX broker_messages_ordered ON broker_messages (topic, partition, id) WHERE deliver_at IS NULL;
CREATE INDEX broker_messages_due ON broker_messages (topic, deliver_at, id) WHERE deliver_at IS NOT NULL;

CREATE TABLE broker_cursors (
    topic         TEXT NOT NULL,
    partition     INTEGER NOT NULL,
    subscription  TEXT NOT NULL,
    acked_through INTEGER NOT NULL,
    PRIMARY KEY (topic, partition, subscription)
) STRICT, WITHOUT ROWID;
