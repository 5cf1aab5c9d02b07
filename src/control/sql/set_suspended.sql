-- @mapping_id, @suspended_reason
UPDATE table_mappings
SET
    is_suspended = 1,
    suspended_reason = @suspended_reason
WHERE mapping_id = @mapping_id;
