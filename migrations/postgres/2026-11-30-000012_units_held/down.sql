ALTER TABLE sales DROP COLUMN units_held;
