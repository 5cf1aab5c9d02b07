-- @daemon, @now, @stopped_at. Others watch the beats, not the clock.
UPDATE daemons
SET
    beats = beats + 1,
    heartbeat_at = @now,
    stopped_at = @stopped_at
WHERE daemon = @daemon;
