-- What a node says of its health with each heartbeat, as JSON. It names the heartbeat that it belongs to (`at`, which is then `seen_at`): a
-- program of the previous version leaves the column as it was. Null if the node's program says nothing.
ALTER TABLE nodes ADD COLUMN vitals TEXT;
