-- DBAOps DataFlow: the login that reads a source database on PostgreSQL, with the
-- rights that it needs and no others. For PostgreSQL 10 and later.
--
-- Change the lines between the two rulers, and run it as a superuser with psql, once
-- for each source database; again whenever a table is added to the list:
--
--     psql -d shop -f least-privilege-postgresql-source.sql
--
-- Running it again changes nothing else. What is taken off the list keeps its grants,
-- and stays in the publication, until you revoke them and take it out.
-- `dbaops-dataflow check` says whether something is missing.

\set ON_ERROR_STOP on
BEGIN;

------------------------------------------------------------------- change

-- The user id of the connection string. The password counts only where the login does
-- not exist yet.
\set login dataflow_reader
\set password ''

-- Tables, and the full_sync_trigger_column of those whose mapping has one. NULL for a
-- table: all tables of the schema that are there now.
CREATE TEMPORARY TABLE dataflow_tables (schema_name text NOT NULL, table_name text, trigger_column text)
ON COMMIT DROP;
INSERT INTO dataflow_tables (schema_name, table_name, trigger_column)
VALUES
('public', 'orders', NULL),
('public', 'customers', 'full_sync_requested'),
('sales', NULL, NULL);

-- The publication, which says of which of these tables changes are told. Only the
-- owner of a table puts it into one, and who owns a table may write it: so it is made
-- here. Its name begins with a part of your installation's id; `dbaops-dataflow check`
-- says it ("publication") as soon as there is a mapping with cdc_enabled = 1. Empty:
-- none is made, which is enough for full syncs.
\set publication ''

-- 1: the daemon may see what other sessions wait for. With 0 a load waits up to two
-- seconds for each transaction that is open on its table; on a server with
-- synchronous standbys it waits a minute, and fails if that transaction is still there.
-- The right shows the statements of others as well.
\set may_see_sessions 1

----------------------------------------------------- nothing to change below

-- The login, and a role for the grants.
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', :'login', :'password')
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = :'login')
\gexec
SELECT 'CREATE ROLE dataflow_source NOLOGIN'
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'dataflow_source')
\gexec
GRANT dataflow_source TO :"login";

-- REPLICATION: to read the log, and to make and drop its own replication slot. It is
-- a property of the login itself, which no role hands on; on Amazon RDS a role has it.
SELECT
    CASE
        WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication')
            THEN format('GRANT rds_replication TO %I', :'login')
        ELSE format('ALTER ROLE %I REPLICATION', :'login')
    END
\gexec

-- CONNECT: PUBLIC has it unless that was revoked.
SELECT format('GRANT CONNECT ON DATABASE %I TO dataflow_source', current_database())
\gexec

-- What the list means: tables, and partitioned ones as a whole.
CREATE TEMPORARY TABLE dataflow_sources ON COMMIT DROP AS
SELECT
    c.oid,
    c.relkind,
    c.relpersistence,
    n.nspname,
    c.relname,
    t.trigger_column
FROM dataflow_tables AS t
INNER JOIN pg_catalog.pg_namespace AS n ON t.schema_name = n.nspname
INNER JOIN pg_catalog.pg_class AS c ON n.oid = c.relnamespace
WHERE
    (t.table_name = c.relname AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
    OR (t.table_name IS NULL AND c.relkind IN ('r', 'p') AND NOT c.relispartition);

DO $$
DECLARE missing text;
BEGIN
    SELECT quote_ident(t.schema_name) || COALESCE('.' || quote_ident(t.table_name), '') INTO missing
    FROM dataflow_tables AS t
    WHERE
        to_regnamespace(quote_ident(t.schema_name)) IS NULL
        OR (
            t.table_name IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM dataflow_sources AS s
                WHERE s.nspname = t.schema_name AND s.relname = t.table_name
            )
        );
    IF FOUND THEN
        RAISE EXCEPTION 'there is no % in database %', missing, current_database();
    END IF;
END
$$;

-- USAGE: to get at the tables, and at types that extensions made, whose functions
-- write their values.
SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO dataflow_source', s.nspname)
FROM (
    SELECT nspname FROM dataflow_sources
    UNION
    SELECT m.nspname
    FROM dataflow_sources AS d
    INNER JOIN pg_catalog.pg_attribute AS a ON d.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped
    INNER JOIN pg_catalog.pg_type AS y ON a.atttypid = y.oid
    INNER JOIN pg_catalog.pg_proc AS f ON y.typoutput = f.oid
    INNER JOIN pg_catalog.pg_namespace AS m ON f.pronamespace = m.oid
    WHERE m.nspname <> 'pg_catalog'
) AS s
\gexec

-- SELECT: loads and verifications read the whole table. Of a partitioned one the right
-- on itself is enough.
SELECT DISTINCT format('GRANT SELECT ON TABLE %I.%I TO dataflow_source', nspname, relname)
FROM dataflow_sources
\gexec

-- UPDATE on the trigger column alone: it is set back after a full sync. This is all that
-- the login can write.
SELECT format('GRANT UPDATE (%I) ON TABLE %I.%I TO dataflow_source', trigger_column, nspname, relname)
FROM dataflow_sources
WHERE trigger_column IS NOT NULL
\gexec

-- pg_read_all_stats: who has changed a table in a transaction that is open, does he
-- wait for a synchronous standby? Then his rows are in the log already, and nobody
-- can read them yet.
SELECT 'GRANT pg_read_all_stats TO dataflow_source'
WHERE :may_see_sessions = 1
\gexec

-- Of each table whether it can be published: it has to be logged, and the log has to
-- tell which row an update concerns, or PostgreSQL would refuse the application's own
-- updates. A partitioned table is published as one from PostgreSQL 13 on, and then
-- none of its partitions by itself.
CREATE TEMPORARY TABLE dataflow_published ON COMMIT DROP AS
WITH RECURSIVE leaf AS (
    SELECT
        oid AS root,
        oid
    FROM dataflow_sources
    UNION ALL
    SELECT
        l.root,
        i.inhrelid
    FROM leaf AS l
    INNER JOIN pg_catalog.pg_class AS p ON l.oid = p.oid AND p.relkind = 'p'
    INNER JOIN pg_catalog.pg_inherits AS i ON l.oid = i.inhparent
),

identified AS (
    SELECT
        l.root,
        bool_and(
            c.relkind = 'p' OR c.relreplident = 'f'
            OR EXISTS (
                SELECT 1 FROM pg_catalog.pg_index AS x
                WHERE
                    x.indrelid = c.oid AND x.indisvalid
                    AND (
                        (c.relreplident = 'd' AND x.indisprimary)
                        OR (c.relreplident = 'i' AND x.indisreplident)
                    )
            )
        ) AS is_identified
    FROM leaf AS l
    INNER JOIN pg_catalog.pg_class AS c ON l.oid = c.oid
    GROUP BY l.root
)

SELECT DISTINCT
    d.oid,
    d.nspname,
    d.relname,
    CASE
        WHEN d.relkind NOT IN ('r', 'p') THEN 'it is no table: full syncs only'
        WHEN d.relpersistence <> 'p' THEN 'it is not logged: full syncs only'
        WHEN d.relkind = 'p' AND current_setting('server_version_num')::int < 130000
            THEN 'it is partitioned: publish its partitions, or full syncs only'
        WHEN EXISTS (SELECT 1 FROM leaf AS a WHERE a.oid = d.oid AND a.root <> d.oid)
            THEN 'the table that it is a partition of is in the list'
        WHEN NOT i.is_identified
            THEN 'it needs a primary key, or ALTER TABLE … REPLICA IDENTITY FULL'
    END AS why_not
FROM dataflow_sources AS d
INNER JOIN identified AS i ON d.oid = i.root;

SELECT
    format(
        'CREATE PUBLICATION %I%s', :'publication',
        CASE
            WHEN current_setting('server_version_num')::int >= 130000
                THEN ' WITH (publish_via_partition_root = true)'
            ELSE ''
        END
    )
WHERE
    :'publication' <> ''
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = :'publication')
\gexec

-- ONLY: not what inherits from the table, which is a table of its own to the log.
SELECT format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I', p.pubname, d.nspname, d.relname)
FROM dataflow_published AS d
INNER JOIN pg_catalog.pg_publication AS p ON p.pubname = :'publication'
WHERE
    d.why_not IS NULL
    AND NOT p.puballtables
    AND NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_publication_rel AS r
        WHERE r.prpubid = p.oid AND r.prrelid = d.oid
    )
\gexec

SELECT
    nspname AS "schema",
    relname AS "not published",
    why_not AS "since"
FROM dataflow_published
WHERE why_not IS NOT NULL AND :'publication' <> ''
ORDER BY nspname, relname;

COMMIT;
