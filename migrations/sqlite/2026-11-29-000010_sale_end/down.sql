ALTER TABLE sales DROP COLUMN ended_at;
