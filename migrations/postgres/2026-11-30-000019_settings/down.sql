ALTER TABLE nodes DROP COLUMN local_values;
ALTER TABLE nodes DROP COLUMN settings_rejected;
ALTER TABLE nodes DROP COLUMN settings_revision;
DROP TABLE setting_changes;
DROP TABLE settings_revision;
DROP TABLE settings;
