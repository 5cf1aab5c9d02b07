-- Daemons that hold leases, with their beats; @daemon is not among them. One
-- that said goodbye, or is not known any more, is gone.
SELECT
    l.daemon,
    COALESCE(d.beats, 0) AS beats,
    CASE WHEN d.daemon IS NULL OR d.stopped_at IS NOT NULL THEN 1 ELSE 0 END AS is_gone
FROM (SELECT DISTINCT x.daemon FROM mapping_leases AS x WHERE x.daemon <> @daemon) AS l
LEFT JOIN daemons AS d ON l.daemon = d.daemon;
