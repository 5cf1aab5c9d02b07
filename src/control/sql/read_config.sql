SELECT
    config_key,
    config_value
FROM config
ORDER BY config_key;
