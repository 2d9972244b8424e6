DROP TABLE broker_cursors;
DROP TABLE broker_messages;
