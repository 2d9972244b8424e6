DROP TRIGGER users_role_changed ON users;
DROP TRIGGER access_tokens_deleted ON access_tokens;
DROP FUNCTION users_role_changed();
DROP FUNCTION access_tokens_deleted();
DROP TABLE token_revocations;
