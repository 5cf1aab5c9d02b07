-- Errors that still stand, newest first.
USE dbaops_dataflow;
GO

CREATE OR ALTER VIEW dbo.v_recent_errors
AS
SELECT TOP (100)
    e.error_id,
    s.server_name,
    m.source_table,
    m.dest_table,
    e.error_type,
    e.error_message,
    e.retry_count,
    e.is_resolved,
    e.created_at,
    e.mapping_id
FROM dbo.error_logs AS e
LEFT JOIN dbo.table_mappings AS m ON e.mapping_id = m.mapping_id
LEFT JOIN dbo.source_servers AS s ON COALESCE(e.server_id, m.server_id) = s.server_id
WHERE e.is_resolved = 0
ORDER BY e.created_at DESC, e.error_id DESC;
GO
