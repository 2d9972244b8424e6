-- Whether the shop sells at all: one row. `held` repeats it on each sale that could sell, so that whoever reads a sale reads one row.
CREATE TABLE shop_status (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO shop_status (id, paused, since) VALUES (1, 0, unixepoch() * 1000);
ALTER TABLE sales ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1));

-- The files of uploaded pictures, one for each width. The name begins with the upload's digest: a file never changes.
CREATE TABLE picture_files (
    name       TEXT    NOT NULL,
    width      INTEGER NOT NULL,
    content    BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (name, width)
) STRICT;
