-- The embedded broker: a log per (topic, partition), read through one cursor per subscription. Ids grow over all of them
-- and are never used twice.
CREATE TABLE broker_messages (
    id           BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        TEXT NOT NULL,
    partition    BIGINT NOT NULL,
    key          BYTEA NOT NULL,
    payload      BYTEA NOT NULL,
    -- NULL on ordered topics. Each row stands in one of the two indexes.
    deliver_at   BIGINT,
    published_at BIGINT NOT NULL
);
CREATE INDEX broker_messages_ordered ON broker_messages (topic, partition, id) WHERE deliver_at IS NULL;
CREATE INDEX broker_messages_due ON broker_messages (topic, deliver_at, id) WHERE deliver_at IS NOT NULL;

CREATE TABLE broker_cursors (
    topic         TEXT NOT NULL,
    partition     BIGINT NOT NULL,
    subscription  TEXT NOT NULL,
    acked_through BIGINT NOT NULL,
    PRIMARY KEY (topic, partition, subscription)
);
