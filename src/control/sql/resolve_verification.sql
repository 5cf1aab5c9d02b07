-- @mapping_id, @resolved_at, @is_whole: the destination is what it should be.
-- The newest rows say nothing of what a look at the whole table has found.
UPDATE error_logs
SET
    is_resolved = 1,
    resolved_at = @resolved_at
WHERE
    is_resolved = 0
    AND mapping_id = @mapping_id
    AND error_type = 'VERIFICATION'
    AND (@is_whole = 1 OR COALESCE(error_details, '') NOT LIKE '%"scope":"WHOLE"%');
