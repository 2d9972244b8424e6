DROP TRIGGER users_role_changed;
DROP TRIGGER access_tokens_deleted;
DROP TABLE token_revocations;
