-- How each mapping is: one word, and why. views/v_mapping_health.sql explains
-- the words and their order.
DROP VIEW IF EXISTS v_mapping_health;
CREATE VIEW v_mapping_health AS
SELECT
    h.mapping_id,
    h.server_name,
    h.source_database,
    h.source_schema,
    h.source_table,
    h.dest_database,
    h.dest_schema,
    h.dest_table,
    h.health,
    CASE h.health
        WHEN 'DISABLED' THEN CASE
            WHEN h.is_enabled = 0 THEN 'is_enabled of the mapping is 0'
            WHEN h.source_is_enabled = 0 THEN 'is_enabled of source server ''' || h.server_name || ''' is 0'
            ELSE 'is_enabled of target server ''' || h.target_name || ''' is 0'
        END
        WHEN 'SUSPENDED' THEN COALESCE(h.suspended_reason, 'suspended; a RESUME request lets it go on')
        WHEN 'PAUSED' THEN 'is_paused is 1; a RESUME request lets it go on'
        WHEN 'STOPPED' THEN CASE
            WHEN h.heartbeat_at IS NULL THEN 'no daemon is running'
            WHEN h.stopped_at IS NOT NULL THEN 'daemon ''' || h.daemon || ''' was stopped'
            ELSE 'daemon ''' || h.daemon || ''' shows no sign of life since heartbeat_at'
        END
        WHEN 'ERROR' THEN COALESCE(h.error_message, h.state_reason)
        WHEN 'WAITING' THEN CASE
            WHEN h.daemon IS NULL THEN 'no daemon has taken it up yet'
            WHEN h.is_alive = 0 THEN 'its daemon is gone, another one takes it over'
            ELSE COALESCE(h.state_reason, 'it starts')
        END
        WHEN 'LOADING' THEN COALESCE(h.state_reason, 'a full sync is under way')
        WHEN 'MISMATCH' THEN CASE
            WHEN h.verification_error IS NOT NULL THEN h.verification_error
            ELSE h.parked_rows || ' rows were put aside in apply_exceptions'
        END
        WHEN 'LAGGING' THEN
            (CAST(strftime('%s', h.now_at) AS INTEGER) - CAST(strftime('%s', h.current_at) AS INTEGER))
            || ' seconds behind its source' || COALESCE(': ' || h.state_reason, '')
        ELSE COALESCE(
            h.state_reason,
            CASE WHEN h.cdc_enabled = 1 THEN 'follows changes' ELSE 'loaded; it has full syncs only' END
        )
    END AS reason,
    h.state,
    CASE
        WHEN h.current_at > h.now_at THEN 0
        ELSE CAST(strftime('%s', h.now_at) AS INTEGER) - CAST(strftime('%s', h.current_at) AS INTEGER)
    END AS lag_seconds,
    h.open_errors,
    h.parked_rows,
    h.last_verified_at,
    h.last_verification_status,
    h.next_attempt_at,
    h.daemon,
    h.heartbeat_at,
    h.current_at,
    h.updated_at
FROM (
    SELECT
        f.*,
        CASE
            WHEN 0 IN (f.is_enabled, f.source_is_enabled, f.target_is_enabled) THEN 'DISABLED'
            WHEN f.is_suspended = 1 THEN 'SUSPENDED'
            WHEN f.is_paused = 1 THEN 'PAUSED'
            WHEN f.is_any_alive = 0 THEN 'STOPPED'
            WHEN f.is_alive = 0 THEN 'WAITING'
            WHEN f.state = 'FULL_SYNC' THEN 'LOADING'
            WHEN f.state = 'ERROR' OR f.error_message IS NOT NULL THEN 'ERROR'
            WHEN f.state = 'RETRYING' THEN 'RETRYING'
            WHEN f.state IS NULL OR f.state NOT IN ('CDC', 'IDLE') THEN 'WAITING'
            WHEN f.verification_error IS NOT NULL OR f.parked_rows > 0 THEN 'MISMATCH'
            WHEN f.current_at < f.lagging_before THEN 'LAGGING'
            ELSE 'HEALTHY'
        END AS health
    FROM (
        SELECT
            m.mapping_id,
            s.server_name,
            m.source_database,
            m.source_schema,
            m.source_table,
            m.dest_database,
            m.dest_schema,
            m.dest_table,
            t.target_name,
            m.is_enabled,
            s.is_enabled AS source_is_enabled,
            COALESCE(t.is_enabled, 1) AS target_is_enabled,
            m.is_suspended,
            m.suspended_reason,
            m.is_paused,
            m.cdc_enabled,
            st.state,
            st.reason AS state_reason,
            st.next_attempt_at,
            st.updated_at,
            l.daemon,
            d.heartbeat_at,
            d.stopped_at,
            c.now_at,
            c.lagging_before,
            CASE WHEN c.newest_heartbeat_at >= c.alive_since THEN 1 ELSE 0 END AS is_any_alive,
            CASE WHEN d.stopped_at IS NULL AND d.heartbeat_at >= c.alive_since THEN 1 ELSE 0 END AS is_alive,
            CASE
                WHEN m.cdc_enabled = 0 THEN NULL
                WHEN st.state <> 'CDC' OR st.lag_seconds > 0
                    THEN COALESCE(
                        st.current_at,
                        strftime('%Y-%m-%dT%H:%M:%f', st.updated_at, (-CAST(st.lag_seconds AS INTEGER)) || ' seconds')
                    )
                WHEN st.lag_seconds IS NULL THEN st.current_at
                WHEN d.stopped_at IS NULL AND d.heartbeat_at >= c.alive_since THEN c.now_at
                WHEN d.heartbeat_at > COALESCE(st.current_at, st.updated_at) THEN d.heartbeat_at
                ELSE COALESCE(st.current_at, st.updated_at)
            END AS current_at,
            COALESCE(o.open_errors, 0) AS open_errors,
            e.error_message,
            ve.error_message AS verification_error,
            COALESCE(x.parked_rows, 0) AS parked_rows,
            v.verified_at AS last_verified_at,
            v.verification_status AS last_verification_status
        FROM table_mappings AS m
        INNER JOIN source_servers AS s ON m.server_id = s.server_id
        LEFT JOIN target_servers AS t ON m.target_id = t.target_id
        LEFT JOIN mapping_state AS st ON m.mapping_id = st.mapping_id
        LEFT JOIN mapping_leases AS l ON m.mapping_id = l.mapping_id
        LEFT JOIN daemons AS d ON l.daemon = d.daemon
        LEFT JOIN (
            SELECT
                a.mapping_id,
                COUNT(*) AS open_errors,
                MAX(CASE WHEN a.error_type <> 'VERIFICATION' THEN a.error_id ELSE 0 END) AS error_id,
                MAX(CASE WHEN a.error_type = 'VERIFICATION' THEN a.error_id ELSE 0 END) AS verification_error_id
            FROM error_logs AS a
            WHERE a.is_resolved = 0 AND a.mapping_id IS NOT NULL
            GROUP BY a.mapping_id
        ) AS o ON m.mapping_id = o.mapping_id
        LEFT JOIN error_logs AS e ON o.error_id = e.error_id
        LEFT JOIN error_logs AS ve ON o.verification_error_id = ve.error_id
        LEFT JOIN (
            SELECT
                p.mapping_id,
                COUNT(*) AS parked_rows
            FROM apply_exceptions AS p
            WHERE p.is_resolved = 0
            GROUP BY p.mapping_id
        ) AS x ON m.mapping_id = x.mapping_id
        LEFT JOIN verification_logs AS v
            ON
                v.verification_id = (
                    SELECT w.verification_id
                    FROM verification_logs AS w
                    WHERE w.mapping_id = m.mapping_id AND w.verification_type <> 'DRY_RUN'
                    ORDER BY w.verified_at DESC
                    LIMIT 1
                )
        CROSS JOIN (
            SELECT
                strftime('%Y-%m-%dT%H:%M:%f', 'now') AS now_at,
                strftime('%Y-%m-%dT%H:%M:%f', 'now', (-15 - COALESCE(NULLIF(k.lease_seconds, 0), 30)) || ' seconds')
                    AS alive_since,
                strftime('%Y-%m-%dT%H:%M:%f', 'now', (-COALESCE(NULLIF(k.lag_warning_seconds, 0), 60)) || ' seconds')
                    AS lagging_before,
                (SELECT MAX(b.heartbeat_at) FROM daemons AS b WHERE b.stopped_at IS NULL) AS newest_heartbeat_at
            FROM (
                SELECT
                    MAX(CASE WHEN g.config_key = 'lease_seconds' THEN g.config_number ELSE 0 END) AS lease_seconds,
                    MAX(CASE WHEN g.config_key = 'lag_warning_seconds' THEN g.config_number ELSE 0 END)
                        AS lag_warning_seconds
                FROM (
                    SELECT
                        y.config_key,
                        CASE
                            WHEN trim(y.config_value) GLOB '*[^0-9]*' THEN 0
                            ELSE CAST(trim(y.config_value) AS INTEGER)
                        END AS config_number
                    FROM config AS y
                    WHERE y.config_key IN ('lease_seconds', 'lag_warning_seconds')
                ) AS g
            ) AS k
        ) AS c
    ) AS f
) AS h;
