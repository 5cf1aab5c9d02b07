-- @mapping_id, @updated_at: when there is no row to update.
INSERT INTO verification_progress (mapping_id, updated_at)
SELECT
    @mapping_id,
    @updated_at
WHERE NOT EXISTS (SELECT 1 FROM verification_progress WHERE mapping_id = @mapping_id);
