-- @daemon, @now, @stopped_at
UPDATE daemons
SET
    heartbeat_at = @now,
    stopped_at = @stopped_at
WHERE daemon = @daemon;
