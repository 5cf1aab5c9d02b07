SELECT
    target_id,
    target_name,
    target_type,
    connection_string,
    is_enabled
FROM target_servers
ORDER BY target_id;
