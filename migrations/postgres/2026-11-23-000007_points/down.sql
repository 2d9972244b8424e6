DROP TABLE branch_transactions;
DROP TABLE global_transactions;
DROP TABLE points_entries;
DROP TABLE points_transfers;
DROP TABLE points_reservations;
DROP TABLE points_accounts;
DROP FUNCTION refuse_points_change;
