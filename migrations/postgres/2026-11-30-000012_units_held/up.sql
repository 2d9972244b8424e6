-- Units in orders that wait for their payment, so that shoppers see how many may come back. Changed together with `stock_version`.
ALTER TABLE sales ADD COLUMN units_held BIGINT NOT NULL DEFAULT 0;

UPDATE sales SET units_held = held.units
FROM (
    SELECT sale_id, SUM(quantity)::BIGINT AS units FROM orders WHERE status = 'AWAITING_PAYMENT' GROUP BY sale_id
) AS held
WHERE sales.id = held.sale_id;

-- Units that were paid and are not taken off `units_held` yet. A payment adds a row instead of changing its sale, or all payments of
-- a sale would wait for each other; not even a foreign key, which would wait for the order writer.
CREATE TABLE sale_units_paid (
    id      BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sale_id UUID   NOT NULL,
    units   BIGINT NOT NULL CHECK (units > 0)
);
