DROP TABLE login_log;
DROP TABLE access_tokens;
DROP TABLE users;
