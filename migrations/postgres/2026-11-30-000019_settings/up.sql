-- Settings that operators change while the nodes run. `value` is as it would be written in the file; `scope` says on which nodes it holds:
-- `*`, `role:NAME`, `node:NAME`.
CREATE TABLE settings (
    key      TEXT   NOT NULL,
    scope    TEXT   NOT NULL,
    value    TEXT   NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (key, scope)
);

-- One row, locked by whoever changes settings.
CREATE TABLE settings_revision (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    value BIGINT NOT NULL
);
INSERT INTO settings_revision (id, value) VALUES (1, 0);

-- Every change that was ever made. `undoes`: the change that this one takes back, confirms or promotes. `operator_id`: null where nobody
-- confirmed and the change ended by itself.
CREATE TABLE setting_changes (
    revision       BIGINT NOT NULL PRIMARY KEY,
    key            TEXT   NOT NULL,
    scope          TEXT   NOT NULL,
    old            TEXT,
    new            TEXT,
    act            TEXT   NOT NULL CHECK (act IN ('SET', 'UNSET', 'ROLLBACK', 'PROMOTE', 'CONFIRM', 'EXPIRE')),
    operator_id    UUID REFERENCES users (id),
    via            TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    at             BIGINT NOT NULL,
    undoes         BIGINT,
    confirm_before BIGINT
);
CREATE INDEX setting_changes_of_key ON setting_changes (key, scope, revision);
CREATE INDEX setting_changes_of_operator ON setting_changes (operator_id, at);
CREATE INDEX setting_changes_to_confirm ON setting_changes (revision) WHERE confirm_before IS NOT NULL;
CREATE TRIGGER setting_changes_kept BEFORE UPDATE OR DELETE ON setting_changes FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What a node says of its settings: the revision that it follows, the stored values that it can't take, and what its own file,
-- environment and flags say. Null: an older program.
ALTER TABLE nodes ADD COLUMN settings_revision BIGINT;
ALTER TABLE nodes ADD COLUMN settings_rejected TEXT;
ALTER TABLE nodes ADD COLUMN local_values TEXT;
