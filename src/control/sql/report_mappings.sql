-- What `dbaops-dataflow status` shows: a row a mapping.
SELECT
    m.mapping_id,
    v.server_name,
    m.source_database,
    m.source_schema,
    m.source_table,
    m.dest_database,
    m.dest_schema,
    m.dest_table,
    m.is_enabled,
    m.is_paused,
    m.cdc_enabled,
    s.state,
    s.reason,
    CAST(ROUND(s.lag_seconds * 1000, 0) AS BIGINT) AS lag_ms,
    s.is_consistent,
    s.rows_applied,
    CAST(s.updated_at AS NVARCHAR(40)) AS updated_at,
    r.sync_type,
    r.records_processed,
    r.records_total,
    CAST(r.rows_per_second AS BIGINT) AS rows_per_second,
    e.error_type,
    e.error_message,
    e.retry_count
FROM table_mappings AS m
LEFT JOIN source_servers AS v ON m.server_id = v.server_id
LEFT JOIN mapping_state AS s ON m.mapping_id = s.mapping_id
LEFT JOIN sync_status AS r
    ON
        r.status_id = (
            SELECT MAX(x.status_id)
            FROM sync_status AS x
            WHERE x.mapping_id = m.mapping_id AND x.status = 'RUNNING'
        )
LEFT JOIN error_logs AS e
    ON
        e.error_id = (
            SELECT MAX(x.error_id)
            FROM error_logs AS x
            WHERE x.mapping_id = m.mapping_id AND x.is_resolved = 0
        )
ORDER BY m.mapping_id;
