ALTER TABLE nodes DROP COLUMN data_version;
DROP TABLE schema_state;
