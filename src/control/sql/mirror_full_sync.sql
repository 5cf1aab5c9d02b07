-- @mapping_id, @last_full_sync_at
UPDATE table_mappings
SET last_full_sync_at = @last_full_sync_at
WHERE mapping_id = @mapping_id;
