DROP TABLE catalog_revision;
DROP TABLE audit_log;
DROP TABLE sale_stock_adds;
DROP TABLE sales;
DROP TABLE sale_sessions;
DROP TABLE products;
