-- How each mapping is: one word, and why. Of the words that apply the first
-- one is shown:
--
--   DISABLED   is_enabled is 0, of the mapping or of one of its servers
--   SUSPENDED  errors have stopped it; a RESUME request lets it go on
--   PAUSED     it rests by request; a RESUME request lets it go on
--   STOPPED    no daemon is alive: none beat within lease_seconds, and fifteen
--              seconds more for clocks that differ
--   LOADING    a full sync is under way; v_running_loads tells how far it is
--   ERROR      an error stands in error_logs; the reason ends with the remedy
--   RETRYING   the last attempt failed, another one follows
--   WAITING    nobody has taken it up yet, or it waits for its first load
--   MISMATCH   the destination is known to differ: rows were put aside in
--              apply_exceptions, or an error of type VERIFICATION stands. What
--              was found in the whole table stands until the whole table
--              passes or is loaded anew; passing newest rows do not end it.
--              Or that could not be found out
--   LAGGING    more than lag_warning_seconds behind its source
--   HEALTHY    none of these
--
-- A daemon's metrics and status page have the same words, from its memory: see
-- overview_judge() in src/monitor/overview.c, which is changed with this view.
--
-- The copy holds what its source had committed at current_at; lag_seconds has
-- grown since. Both are NULL for mappings that do not follow changes.
USE dbaops_dataflow;
GO

CREATE OR ALTER VIEW dbo.v_mapping_health
AS
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
        WHEN N'DISABLED' THEN CASE
            WHEN h.is_enabled = 0 THEN N'is_enabled of the mapping is 0'
            WHEN h.source_is_enabled = 0 THEN CONCAT(N'is_enabled of source server ''', h.server_name, N''' is 0')
            ELSE CONCAT(N'is_enabled of target server ''', h.target_name, N''' is 0')
        END
        WHEN N'SUSPENDED' THEN COALESCE(h.suspended_reason, N'suspended; a RESUME request lets it go on')
        WHEN N'PAUSED' THEN N'is_paused is 1; a RESUME request lets it go on'
        WHEN N'STOPPED' THEN CASE
            WHEN h.heartbeat_at IS NULL THEN N'no daemon is running'
            WHEN h.stopped_at IS NOT NULL THEN CONCAT(N'daemon ''', h.daemon, N''' was stopped')
            ELSE CONCAT(N'daemon ''', h.daemon, N''' shows no sign of life since heartbeat_at')
        END
        WHEN N'ERROR' THEN COALESCE(h.error_message, h.state_reason)
        WHEN N'WAITING' THEN CASE
            WHEN h.daemon IS NULL THEN N'no daemon has taken it up yet'
            WHEN h.is_alive = 0 THEN N'its daemon is gone, another one takes it over'
            ELSE COALESCE(h.state_reason, N'it starts')
        END
        WHEN N'LOADING' THEN COALESCE(h.state_reason, N'a full sync is under way')
        WHEN N'MISMATCH' THEN CASE
            WHEN h.verification_error IS NOT NULL THEN h.verification_error
            ELSE CONCAT(h.parked_rows, N' rows were put aside in apply_exceptions')
        END
        WHEN N'LAGGING' THEN CONCAT(
            DATEDIFF(SECOND, h.current_at, h.now_at),
            N' seconds behind its source',
            CASE WHEN h.state_reason IS NOT NULL THEN CONCAT(N': ', h.state_reason) END
        )
        ELSE COALESCE(
            h.state_reason,
            CASE WHEN h.cdc_enabled = 1 THEN N'follows changes' ELSE N'loaded; it has full syncs only' END
        )
    END AS reason,
    h.state,
    CASE
        WHEN h.current_at > h.now_at THEN 0
        ELSE DATEDIFF(SECOND, h.current_at, h.now_at)
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
            WHEN 0 IN (f.is_enabled, f.source_is_enabled, f.target_is_enabled) THEN N'DISABLED'
            WHEN f.is_suspended = 1 THEN N'SUSPENDED'
            WHEN f.is_paused = 1 THEN N'PAUSED'
            WHEN f.is_any_alive = 0 THEN N'STOPPED'
            WHEN f.is_alive = 0 THEN N'WAITING'
            WHEN f.state = N'FULL_SYNC' THEN N'LOADING'
            WHEN f.state = N'ERROR' OR f.error_message IS NOT NULL THEN N'ERROR'
            WHEN f.state = N'RETRYING' THEN N'RETRYING'
            WHEN f.state IS NULL OR f.state NOT IN (N'CDC', N'IDLE') THEN N'WAITING'
            WHEN f.verification_error IS NOT NULL OR f.parked_rows > 0 THEN N'MISMATCH'
            WHEN f.current_at < f.lagging_before THEN N'LAGGING'
            ELSE N'HEALTHY'
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
            -- A mapping that follows changes and has none left is up to date
            -- while its daemon lives, and was so at that one's last beat.
            CASE
                WHEN m.cdc_enabled = 0 THEN NULL
                WHEN st.state <> N'CDC' OR st.lag_seconds > 0
                    THEN COALESCE(st.current_at, DATEADD(SECOND, -st.lag_seconds, st.updated_at))
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
        FROM dbo.table_mappings AS m
        INNER JOIN dbo.source_servers AS s ON m.server_id = s.server_id
        LEFT JOIN dbo.target_servers AS t ON m.target_id = t.target_id
        LEFT JOIN dbo.mapping_state AS st ON m.mapping_id = st.mapping_id
        LEFT JOIN dbo.mapping_leases AS l ON m.mapping_id = l.mapping_id
        LEFT JOIN dbo.daemons AS d ON l.daemon = d.daemon
        LEFT JOIN (
            SELECT
                a.mapping_id,
                COUNT(*) AS open_errors,
                MAX(CASE WHEN a.error_type <> N'VERIFICATION' THEN a.error_id ELSE 0 END) AS error_id,
                MAX(CASE WHEN a.error_type = N'VERIFICATION' THEN a.error_id ELSE 0 END) AS verification_error_id
            FROM dbo.error_logs AS a
            WHERE a.is_resolved = 0 AND a.mapping_id IS NOT NULL
            GROUP BY a.mapping_id
        ) AS o ON m.mapping_id = o.mapping_id
        LEFT JOIN dbo.error_logs AS e ON o.error_id = e.error_id
        LEFT JOIN dbo.error_logs AS ve ON o.verification_error_id = ve.error_id
        LEFT JOIN (
            SELECT
                p.mapping_id,
                COUNT(*) AS parked_rows
            FROM dbo.apply_exceptions AS p
            WHERE p.is_resolved = 0
            GROUP BY p.mapping_id
        ) AS x ON m.mapping_id = x.mapping_id
        OUTER APPLY (
            SELECT TOP (1)
                w.verified_at,
                w.verification_status
            FROM dbo.verification_logs AS w
            WHERE w.mapping_id = m.mapping_id AND w.verification_type <> N'DRY_RUN'
            ORDER BY w.verified_at DESC
        ) AS v
        CROSS JOIN (
            SELECT
                SYSUTCDATETIME() AS now_at,
                DATEADD(SECOND, -15 - COALESCE(NULLIF(k.lease_seconds, 0), 30), SYSUTCDATETIME()) AS alive_since,
                DATEADD(SECOND, -COALESCE(NULLIF(k.lag_warning_seconds, 0), 60), SYSUTCDATETIME()) AS lagging_before,
                (SELECT MAX(b.heartbeat_at) FROM dbo.daemons AS b WHERE b.stopped_at IS NULL) AS newest_heartbeat_at
            FROM (
                SELECT
                    MAX(CASE WHEN g.config_key = N'lease_seconds' THEN g.config_number ELSE 0 END) AS lease_seconds,
                    MAX(CASE WHEN g.config_key = N'lag_warning_seconds' THEN g.config_number ELSE 0 END)
                        AS lag_warning_seconds
                FROM (
                    SELECT
                        y.config_key,
                        COALESCE(TRY_CAST(y.config_value AS INT), 0) AS config_number
                    FROM dbo.config AS y
                    WHERE y.config_key IN (N'lease_seconds', N'lag_warning_seconds')
                ) AS g
            ) AS k
        ) AS c
    ) AS f
) AS h;
GO
