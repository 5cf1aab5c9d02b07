-- The daemon that wrote last.
SELECT
    daemon,
    version,
    CAST(started_at AS NVARCHAR(40)) AS started_at,
    CAST(heartbeat_at AS NVARCHAR(40)) AS heartbeat_at,
    CAST(stopped_at AS NVARCHAR(40)) AS stopped_at
FROM daemons
ORDER BY heartbeat_at DESC;
