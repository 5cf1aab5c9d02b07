-- @daemon, @now: mappings that nobody works on yet.
INSERT INTO mapping_leases (mapping_id, daemon, epoch, taken_at)
SELECT
    m.mapping_id,
    @daemon,
    1,
    @now
FROM table_mappings AS m
WHERE NOT EXISTS (SELECT 1 FROM mapping_leases AS l WHERE l.mapping_id = m.mapping_id);
