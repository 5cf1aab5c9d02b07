-- New trouble, unless update_error.sql found it: the same parameters and
-- @created_at.
INSERT INTO error_logs (
    mapping_id, server_id, error_type, error_message, error_details,
    retry_count, subject, created_at
)
SELECT
    @mapping_id,
    @server_id,
    @error_type,
    @error_message,
    @error_details,
    @retry_count,
    @subject,
    @created_at
WHERE NOT EXISTS (
    SELECT 1
    FROM error_logs
    WHERE
        is_resolved = 0
        AND error_type = @error_type
        AND COALESCE(mapping_id, 0) = COALESCE(@mapping_id, 0)
        AND (mapping_id IS NOT NULL OR COALESCE(server_id, 0) = COALESCE(@server_id, 0))
        AND COALESCE(subject, '') = COALESCE(@subject, '')
);
