SELECT
    mapping_id,
    server_id,
    target_id,
    is_enabled,
    is_paused,
    cdc_enabled,
    source_database,
    source_schema,
    source_table,
    dest_database,
    dest_schema,
    dest_table,
    primary_key_column,
    full_sync_trigger_column,
    change_source
FROM table_mappings
ORDER BY mapping_id;
