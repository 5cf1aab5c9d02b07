-- @daemon, @version, @now
INSERT INTO daemons (daemon, version, started_at, heartbeat_at)
SELECT
    @daemon,
    @version,
    @now,
    @now
WHERE NOT EXISTS (SELECT 1 FROM daemons WHERE daemon = @daemon);
