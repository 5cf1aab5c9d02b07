-- @mapping_id, @is_paused. Whoever resumes a mapping also ends its suspension.
UPDATE table_mappings
SET
    is_paused = @is_paused,
    is_suspended = CASE WHEN @is_paused = 1 THEN is_suspended ELSE 0 END,
    suspended_reason = CASE WHEN @is_paused = 1 THEN suspended_reason END
WHERE mapping_id = @mapping_id;
