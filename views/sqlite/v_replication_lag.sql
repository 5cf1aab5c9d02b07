-- How far each mapping is behind its source now, in seconds. It grows while
-- nothing is applied: the daemon is away, the mapping rests, fails or loads.
-- NULL: it does not follow changes, or has never done so.
DROP VIEW IF EXISTS v_replication_lag;
CREATE VIEW v_replication_lag AS
SELECT
    h.mapping_id,
    h.server_name,
    h.source_database,
    h.source_schema,
    h.source_table,
    h.dest_database,
    h.dest_schema,
    h.dest_table,
    h.state,
    h.lag_seconds,
    h.current_at,
    h.daemon,
    h.heartbeat_at,
    h.updated_at
FROM v_mapping_health AS h;
