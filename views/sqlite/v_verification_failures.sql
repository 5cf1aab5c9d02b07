-- Verifications that found the two sides different, the newest thousand; of those
-- that could not be brought to an end (PARTIAL) what they found till then. What
-- became of it shows in last_status: how the mapping's newest verification ended.
DROP VIEW IF EXISTS v_verification_failures;
CREATE VIEW v_verification_failures AS
SELECT
    m.mapping_id,
    s.server_name,
    m.source_database,
    m.source_schema,
    m.source_table,
    m.dest_database,
    m.dest_schema,
    m.dest_table,
    v.verification_id,
    v.verification_type,
    v.mismatches_found,
    v.records_compared,
    v.source_row_count,
    v.dest_row_count,
    v.source_md5,
    v.dest_md5,
    v.verification_details,
    v.verified_at,
    n.verification_status AS last_status,
    n.verified_at AS last_verified_at
FROM verification_logs AS v
INNER JOIN table_mappings AS m ON v.mapping_id = m.mapping_id
INNER JOIN source_servers AS s ON m.server_id = s.server_id
LEFT JOIN verification_logs AS n
    ON
        n.verification_id = (
            SELECT w.verification_id
            FROM verification_logs AS w
            WHERE w.mapping_id = v.mapping_id AND w.verification_type <> 'DRY_RUN'
            ORDER BY w.verified_at DESC
            LIMIT 1
        )
WHERE
    v.verification_status IN ('FAILED', 'PARTIAL')
    AND v.mismatches_found > 0
ORDER BY v.verified_at DESC
LIMIT 1000;
