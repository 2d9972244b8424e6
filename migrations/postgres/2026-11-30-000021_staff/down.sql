DROP TABLE recovery_codes;
DROP TABLE second_factors;
ALTER TABLE access_tokens DROP COLUMN second_factor;
-- An older program knows no other roles: nobody gets more rights.
UPDATE users SET role = 'BUYER' WHERE role NOT IN ('BUYER', 'OPERATOR');
ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('BUYER', 'OPERATOR'));
