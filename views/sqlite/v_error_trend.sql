-- Errors by type: of the present hour and the 23 before it (period HOUR), of
-- today and the 30 days before (period DAY), 0 where there were none. A trouble
-- that lasts is one error, counted when it began.
DROP VIEW IF EXISTS v_error_trend;
CREATE VIEW v_error_trend AS
SELECT
    p.period,
    p.period_start,
    t.error_type,
    (
        SELECT COUNT(*)
        FROM error_logs AS l
        WHERE
            l.error_type = t.error_type
            AND l.created_at >= p.period_start
            AND l.created_at < p.period_end
    ) AS errors
FROM (
    SELECT
        'HOUR' AS period,
        strftime('%Y-%m-%dT%H:00:00', 'now', (-n.number) || ' hours') AS period_start,
        strftime('%Y-%m-%dT%H:00:00', 'now', (1 - n.number) || ' hours') AS period_end
    FROM (
        WITH RECURSIVE numbers (number) AS (
            SELECT 0
            UNION ALL
            SELECT number + 1 FROM numbers WHERE number < 23
        )
        SELECT number FROM numbers
    ) AS n
    UNION ALL
    SELECT
        'DAY' AS period,
        strftime('%Y-%m-%dT00:00:00', 'now', (-n.number) || ' days') AS period_start,
        strftime('%Y-%m-%dT00:00:00', 'now', (1 - n.number) || ' days') AS period_end
    FROM (
        WITH RECURSIVE numbers (number) AS (
            SELECT 0
            UNION ALL
            SELECT number + 1 FROM numbers WHERE number < 30
        )
        SELECT number FROM numbers
    ) AS n
) AS p
CROSS JOIN (
    SELECT column1 AS error_type
    FROM (VALUES ('CONNECTION'), ('SYNC'), ('SCHEMA'), ('VERIFICATION'), ('OTHER'))
) AS t;
