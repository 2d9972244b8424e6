-- Whether the shop sells at all: one row. `held` repeats it on each sale that could sell, so that whoever reads a sale reads one row.
CREATE TABLE shop_status (
    id     BIGINT  NOT NULL PRIMARY KEY CHECK (id = 1),
    paused BOOLEAN NOT NULL,
    since  BIGINT  NOT NULL
);
INSERT INTO shop_status (id, paused, since) VALUES (1, FALSE, floor(extract(epoch FROM now()))::BIGINT * 1000);
ALTER TABLE sales ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE;

-- The files of uploaded pictures, one for each width. The name begins with the upload's digest: a file never changes.
CREATE TABLE picture_files (
    name       TEXT    NOT NULL,
    width      BIGINT  NOT NULL,
    content    BYTEA   NOT NULL,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (name, width)
);
