SELECT
    m.mapping_id,
    m.server_id,
    m.target_id,
    m.is_enabled,
    m.is_paused,
    m.cdc_enabled,
    m.source_database,
    m.source_schema,
    m.source_table,
    m.dest_database,
    m.dest_schema,
    m.dest_table,
    m.primary_key_column,
    m.full_sync_trigger_column,
    m.change_source,
    m.is_suspended,
    m.suspended_reason,
    m.verification_interval_minutes,
    m.verification_row_count,
    m.full_verification_hours,
    m.full_verification_at,
    m.auto_repair,
    p.progress,
    CAST(p.last_tail_at AS NVARCHAR(40)) AS last_tail_at,
    CAST(p.last_whole_at AS NVARCHAR(40)) AS last_whole_at
FROM table_mappings AS m
LEFT JOIN verification_progress AS p ON m.mapping_id = p.mapping_id
ORDER BY m.mapping_id;
