ALTER TABLE sales DROP COLUMN held;
DROP TABLE shop_status;
