-- @before
DELETE FROM error_logs
WHERE
    is_resolved = 1
    AND resolved_at < @before
    AND error_id < (SELECT MIN(o.error_id) + 5000 FROM error_logs AS o WHERE o.is_resolved = 1);
