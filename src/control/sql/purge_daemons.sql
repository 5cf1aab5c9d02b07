-- @before
DELETE FROM daemons
WHERE heartbeat_at < @before;
