-- @server_id, @now
UPDATE target_servers
SET last_connected_at = @now
WHERE target_id = @server_id;
