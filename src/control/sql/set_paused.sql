-- @mapping_id, @is_paused
UPDATE table_mappings
SET is_paused = @is_paused
WHERE mapping_id = @mapping_id;
