-- @run_id, @mapping_id, @sync_type, @started_at. Harmless when repeated.
INSERT INTO sync_status (run_id, mapping_id, sync_type, status, started_at)
SELECT
    @run_id,
    @mapping_id,
    @sync_type,
    'RUNNING',
    @started_at
WHERE NOT EXISTS (SELECT 1 FROM sync_status WHERE run_id = @run_id);
