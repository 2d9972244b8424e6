DROP TABLE sale_units_paid;
ALTER TABLE sales DROP COLUMN units_held;
