-- May the daemon insert? Touches no row.
INSERT INTO sync_logs (mapping_id, log_level, log_message)
SELECT
    mapping_id,
    log_level,
    log_message
FROM sync_logs
WHERE 1 = 0;
