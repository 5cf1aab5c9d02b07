-- May the daemon delete? Touches no row.
DELETE FROM sync_logs
WHERE 1 = 0;
