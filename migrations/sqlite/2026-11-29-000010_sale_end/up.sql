-- When an operator ended the sale. The order writer refuses tickets that a gate admitted after it, because it had not heard of the end.
ALTER TABLE sales ADD COLUMN ended_at INTEGER;
UPDATE sales SET ended_at = updated_at WHERE status = 'ENDED';
