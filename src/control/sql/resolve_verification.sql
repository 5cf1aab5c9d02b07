-- @mapping_id, @resolved_at: the destination is what it should be.
UPDATE error_logs
SET
    is_resolved = 1,
    resolved_at = @resolved_at
WHERE
    is_resolved = 0
    AND mapping_id = @mapping_id
    AND error_type = 'VERIFICATION';
