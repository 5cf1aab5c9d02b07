-- @mapping_id, @verification_type, @source_md5, @dest_md5, @source_row_count,
-- @dest_row_count, @records_compared, @mismatches_found, @verification_status,
-- @verification_details, @verified_at
INSERT INTO verification_logs (
    mapping_id, verification_type, source_md5, dest_md5, source_row_count,
    dest_row_count, records_compared, mismatches_found, verification_status,
    verification_details, verified_at
)
SELECT
    @mapping_id,
    @verification_type,
    @source_md5,
    @dest_md5,
    @source_row_count,
    @dest_row_count,
    @records_compared,
    @mismatches_found,
    @verification_status,
    @verification_details,
    @verified_at
WHERE NOT EXISTS (
    SELECT 1
    FROM verification_logs
    WHERE
        mapping_id = @mapping_id
        AND verification_type = @verification_type
        AND verified_at = @verified_at
);
