-- Units in orders that wait for their payment, so that shoppers see how many may come back. Changed in the transactions that
-- change those orders, together with `stock_version`.
ALTER TABLE sales ADD COLUMN units_held INTEGER NOT NULL DEFAULT 0;

UPDATE sales SET units_held = held.units
FROM (
    SELECT sale_id, SUM(quantity) AS units FROM orders WHERE status = 'AWAITING_PAYMENT' GROUP BY sale_id
) AS held
WHERE sales.id = held.sale_id;
