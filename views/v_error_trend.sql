-- Errors by type: of the present hour and the 23 before it (period HOUR), of
-- today and the 30 days before (period DAY), 0 where there were none. A trouble
-- that lasts is one error, counted when it began.
USE dbaops_dataflow;
GO

CREATE OR ALTER VIEW dbo.v_error_trend
AS
SELECT
    p.period,
    p.period_start,
    t.error_type,
    e.errors
FROM (
    SELECT
        u.period,
        CASE u.period
            WHEN N'HOUR' THEN DATEADD(HOUR, u.hours - n.number, u.epoch)
            ELSE DATEADD(DAY, u.days - n.number, u.epoch)
        END AS period_start,
        CASE u.period
            WHEN N'HOUR' THEN DATEADD(HOUR, u.hours - n.number + 1, u.epoch)
            ELSE DATEADD(DAY, u.days - n.number + 1, u.epoch)
        END AS period_end
    FROM (
        SELECT
            k.period,
            k.number_of,
            k.epoch,
            DATEDIFF(HOUR, k.epoch, SYSUTCDATETIME()) AS hours,
            DATEDIFF(DAY, k.epoch, SYSUTCDATETIME()) AS days
        FROM (
            VALUES
            (N'HOUR', 24, CAST('20000101' AS DATETIME2(0))),
            (N'DAY', 31, CAST('20000101' AS DATETIME2(0)))
        ) AS k (period, number_of, epoch)
    ) AS u
    INNER JOIN (
        VALUES
            (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15),
            (16), (17), (18), (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30)
    ) AS n (number) ON u.number_of > n.number
) AS p
CROSS JOIN (
    VALUES (N'CONNECTION'), (N'SYNC'), (N'SCHEMA'), (N'VERIFICATION'), (N'OTHER')
) AS t (error_type)
CROSS APPLY (
    SELECT COUNT(*) AS errors
    FROM dbo.error_logs AS l
    WHERE
        l.error_type = t.error_type
        AND l.created_at >= p.period_start
        AND l.created_at < p.period_end
) AS e;
GO
