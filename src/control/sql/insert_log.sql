-- @mapping_id, @log_level, @log_message, @sync_type, @records_count,
-- @execution_time_ms, @created_at
INSERT INTO sync_logs (
    mapping_id, log_level, log_message, sync_type, records_count,
    execution_time_ms, created_at
)
VALUES (
    @mapping_id, @log_level, @log_message, @sync_type, @records_count,
    @execution_time_ms, @created_at
);
