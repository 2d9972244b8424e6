-- The embedded broker: a log per (topic, partition), read through one cursor per subscription.
CREATE TABLE broker_messages (
    id           BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        TEXT    NOT NULL,
    partition    BIGINT NOT NULL,
    payload      BYTEA    NOT NULL,
    deliver_at   BIGINT NOT NULL,
    published_at BIGINT NOT NULL
);
CREATE INDEX broker_messages_by_partition ON broker_messages (topic, partition, id);
CREATE INDEX broker_messages_by_delivery ON broker_messages (topic, deliver_at);

CREATE TABLE broker_cursors (
    topic         TEXT    NOT NULL,
    partition     BIGINT NOT NULL,
    subscription  TEXT    NOT NULL,
    acked_through BIGINT NOT NULL,
    PRIMARY KEY (topic, partition, subscription)
);
