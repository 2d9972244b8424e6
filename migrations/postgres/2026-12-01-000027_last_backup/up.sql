-- When the newest backup was begun that `doorbuster backup create` completed: one row, none before the first one. A backup has the row of
-- the one before it, so a restored database says at once that it needs a new backup.
CREATE TABLE last_backup (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    at    BIGINT NOT NULL,
    bytes BIGINT NOT NULL CHECK (bytes >= 0)
);
