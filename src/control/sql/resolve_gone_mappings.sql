-- @resolved_at: the errors of mappings that were deleted.
UPDATE error_logs
SET
    is_resolved = 1,
    resolved_at = @resolved_at
WHERE
    is_resolved = 0
    AND mapping_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM table_mappings AS m WHERE m.mapping_id = error_logs.mapping_id);
