-- The embedded broker: a log per (topic, partition), read through one cursor per subscription.
CREATE TABLE broker_messages (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    topic        TEXT    NOT NULL,
    partition    INTEGER NOT NULL,
    payload      BLOB    NOT NULL,
    deliver_at   INTEGER NOT NULL,
    published_at INTEGER NOT NULL
) STRICT;
CREATE INDEX broker_messages_by_partition ON broker_messages (topic, partition, id);
CREATE INDEX broker_messages_by_delivery ON broker_messages (topic, deliver_at);

CREATE TABLE broker_cursors (
    topic         TEXT    NOT NULL,
    partition     INTEGER NOT NULL,
    subscription  TEXT    NOT NULL,
    acked_through INTEGER NOT NULL,
    PRIMARY KEY (topic, partition, subscription)
) STRICT, WITHOUT ROWID;
