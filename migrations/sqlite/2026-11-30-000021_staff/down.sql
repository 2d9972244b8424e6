DROP TABLE recovery_codes;
DROP TABLE second_factors;
ALTER TABLE access_tokens DROP COLUMN second_factor;
-- An older program knows no other roles: nobody gets more rights.
UPDATE users SET role = 'BUYER' WHERE role NOT IN ('BUYER', 'OPERATOR');
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '(''BUYER'', ''SUPPORT'', ''OBSERVER'', ''OPERATOR'')', '(''BUYER'', ''OPERATOR'')')
    WHERE type = 'table' AND name = 'users';
PRAGMA writable_schema = RESET;
