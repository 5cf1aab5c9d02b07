-- Which control database this is.
SELECT
    installation_id,
    schema_version
FROM installation;
