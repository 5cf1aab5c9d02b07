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
    CAST(p.last_whole_at AS NVARCHAR(40)) AS last_whole_at,
    m.on_row_error,
    m.on_table_error,
    m.on_connection_error,
    m.on_conflict_error,
    e.error_message,
    ve.error_message AS verification_error,
    CASE WHEN ve.error_details LIKE '%"scope":"WHOLE"%' THEN 1 ELSE 0 END AS is_whole,
    s.position
FROM table_mappings AS m
LEFT JOIN verification_progress AS p ON m.mapping_id = p.mapping_id
LEFT JOIN mapping_state AS s ON m.mapping_id = s.mapping_id
LEFT JOIN (
    SELECT
        a.mapping_id,
        MAX(CASE WHEN a.error_type <> 'VERIFICATION' THEN a.error_id ELSE 0 END) AS error_id,
        MAX(CASE WHEN a.error_type = 'VERIFICATION' THEN a.error_id ELSE 0 END) AS verification_error_id
    FROM error_logs AS a
    WHERE a.is_resolved = 0 AND a.mapping_id IS NOT NULL
    GROUP BY a.mapping_id
) AS o ON m.mapping_id = o.mapping_id
LEFT JOIN error_logs AS e ON o.error_id = e.error_id
LEFT JOIN error_logs AS ve ON o.verification_error_id = ve.error_id
ORDER BY m.mapping_id;
