ALTER TABLE sales DROP COLUMN held;
DROP TABLE shop_status;
DROP TABLE picture_files;
