-- @mapping_id
UPDATE table_mappings
SET is_enabled = 0
WHERE mapping_id = @mapping_id;
