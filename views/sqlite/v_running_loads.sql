-- What is under way: how much of it is done, how fast, and how long it will
-- take. NULL where the number of rows is not known. seconds_since_update grows
-- when the daemon that worked on it is gone.
DROP VIEW IF EXISTS v_running_loads;
CREATE VIEW v_running_loads AS
SELECT
    m.mapping_id,
    s.server_name,
    m.source_database,
    m.source_schema,
    m.source_table,
    m.dest_database,
    m.dest_schema,
    m.dest_table,
    r.status_id,
    r.sync_type,
    r.records_processed,
    r.records_total,
    CASE
        WHEN r.records_total > r.records_processed
            THEN round(100.0 * r.records_processed / r.records_total, 1)
        WHEN r.records_total > 0
            THEN 100.0
    END AS percent_done,
    round(r.rows_per_second, 1) AS rows_per_second,
    CASE
        WHEN r.records_total > r.records_processed AND r.rows_per_second > 0
            THEN CAST((r.records_total - r.records_processed) / r.rows_per_second AS INTEGER)
        WHEN r.records_total > 0 AND r.records_total <= r.records_processed
            THEN 0
    END AS seconds_left,
    CAST(strftime('%s', 'now') AS INTEGER) - CAST(strftime('%s', r.started_at) AS INTEGER) AS duration_seconds,
    CAST(strftime('%s', 'now') AS INTEGER)
    - CAST(strftime('%s', COALESCE(r.updated_at, r.started_at)) AS INTEGER) AS seconds_since_update,
    r.last_processed_pk,
    r.started_at,
    r.updated_at
FROM sync_status AS r
INNER JOIN table_mappings AS m ON r.mapping_id = m.mapping_id
INNER JOIN source_servers AS s ON m.server_id = s.server_id
WHERE r.status = 'RUNNING';
