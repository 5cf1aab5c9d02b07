-- @server_id, @now
UPDATE source_servers
SET last_connected_at = @now
WHERE server_id = @server_id;
