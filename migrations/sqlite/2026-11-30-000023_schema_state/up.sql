-- Which programs can work with this database, in data versions (src/model/upgrade.rs). `min_program`: the lowest one whose programs can use the
-- tables as they are; a migration that older programs can't work with raises it in its own SQL. `version`: what programs may write; the
-- next one is written only once the upgrade is finalised. `older_seen_at`: when a node of an older program was last seen since the
-- upgrade began; null before anybody looked.
CREATE TABLE schema_state (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    min_program   INTEGER NOT NULL,
    version       INTEGER NOT NULL CHECK (version >= min_program),
    older_seen_at INTEGER
);
INSERT INTO schema_state (id, min_program, version) VALUES (1, 1, 1);

-- The data version of the node's program.
ALTER TABLE nodes ADD COLUMN data_version INTEGER NOT NULL DEFAULT 1;
