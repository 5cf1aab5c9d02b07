-- @resolved_at: the errors of source servers that were deleted.
UPDATE error_logs
SET
    is_resolved = 1,
    resolved_at = @resolved_at
WHERE
    is_resolved = 0
    AND mapping_id IS NULL
    AND server_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM source_servers AS s WHERE s.server_id = error_logs.server_id);
