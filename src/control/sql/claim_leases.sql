-- @daemon, @now: mappings that nobody works on yet. Those of one source database
-- stay together, since a change log may have one reader.
INSERT INTO mapping_leases (mapping_id, daemon, epoch, taken_at)
SELECT
    m.mapping_id,
    @daemon,
    1,
    @now
FROM table_mappings AS m
WHERE
    NOT EXISTS (SELECT 1 FROM mapping_leases AS l WHERE l.mapping_id = m.mapping_id)
    AND NOT EXISTS (
        SELECT 1
        FROM mapping_leases AS l
        INNER JOIN table_mappings AS o ON l.mapping_id = o.mapping_id
        WHERE
            l.daemon <> @daemon
            AND o.server_id = m.server_id
            AND o.source_database = m.source_database
    );
