-- @mapping_id, @state, @updated_at: when there is no row to update.
INSERT INTO mapping_state (mapping_id, state, updated_at)
SELECT
    @mapping_id,
    @state,
    @updated_at
WHERE NOT EXISTS (SELECT 1 FROM mapping_state WHERE mapping_id = @mapping_id);
