SELECT
    server_id,
    server_name,
    server_type,
    connection_string,
    is_enabled
FROM source_servers
ORDER BY server_id;
