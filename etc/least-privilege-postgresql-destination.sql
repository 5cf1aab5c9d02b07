-- DBAOps DataFlow: the login that writes a destination database on PostgreSQL, with
-- the rights that it needs and no others. For PostgreSQL 10 and later.
--
-- Change the lines between the two rulers, and run it as a superuser with psql, once
-- for each destination database; again whenever something is added to the list:
--
--     psql -d reports -f least-privilege-postgresql-destination.sql
--
-- Running it again changes nothing else. What is taken off the list keeps its
-- grants until they are revoked. `dbaops-dataflow check` says whether something is
-- missing.

\set ON_ERROR_STOP on
BEGIN;

------------------------------------------------------------------- change

-- The user id of the target's connection string. The password counts only where the
-- login does not exist yet.
\set login dataflow_writer
\set password ''

-- Destination tables. NULL for a table: all tables of the schema that are there now,
-- and the right to make those that are missing.
CREATE TEMPORARY TABLE dataflow_tables (schema_name text NOT NULL, table_name text)
ON COMMIT DROP;
INSERT INTO dataflow_tables (schema_name, table_name)
VALUES
('public', 'orders'),
('sales', NULL);

-- 1: these tables belong to the role dataflow_destination from now on. A full sync
-- then swaps a new table in, which needs what only an owner may do. With 0 it applies
-- the difference row by row, and their owners stay who they are.
-- Consider that an owner can put a trigger on a table, which runs with the rights of
-- whoever changes the table.
\set may_swap 0

-- 1: the daemon may create the schema of a mapping that does not exist yet.
\set may_create_schemas 0

----------------------------------------------------- nothing to change below

-- The login, and a role for the grants.
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', :'login', :'password')
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = :'login')
\gexec
SELECT 'CREATE ROLE dataflow_destination NOLOGIN'
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'dataflow_destination')
\gexec
GRANT dataflow_destination TO :"login";

-- The schema dataflow: checkpoints, the state of loads, rows that were put aside, and
-- the tables that loads fill. The role owns it, which is all rights in it.
SELECT
    CASE
        WHEN to_regnamespace('dataflow') IS NULL THEN 'CREATE SCHEMA dataflow AUTHORIZATION dataflow_destination'
        ELSE 'ALTER SCHEMA dataflow OWNER TO dataflow_destination'
    END
\gexec

-- TEMPORARY: changes stand in a temporary table before they are applied. PUBLIC has
-- it unless that was revoked. CREATE: for the destination schemas that are missing.
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO dataflow_destination', current_database())
UNION ALL
SELECT format('GRANT CREATE ON DATABASE %I TO dataflow_destination', current_database())
WHERE :may_create_schemas = 1
\gexec

-- USAGE: to get at tables at all. CREATE: to make tables that are missing, and to
-- give a new table the old one's place.
SELECT DISTINCT
    format(
        'GRANT USAGE%s ON SCHEMA %I TO dataflow_destination',
        CASE WHEN :may_swap = 1 OR bool_or(t.table_name IS NULL) THEN ', CREATE' ELSE '' END, t.schema_name
    )
FROM dataflow_tables AS t
GROUP BY t.schema_name
\gexec

-- SELECT: verifications read, and changes are joined with what is there. INSERT,
-- UPDATE, DELETE: changes, repairs, and loads that are not swapped in; one of the
-- latter two is also what LOCK TABLE wants, by which a load keeps other writers
-- out. TRUNCATE: loads with full_sync_mode 'truncate'.
SELECT
    format(
        'GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLE %I.%I TO dataflow_destination', n.nspname, c.relname
    )
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    c.relkind IN ('r', 'p')
    AND EXISTS (
        SELECT 1 FROM dataflow_tables AS t
        WHERE t.schema_name = n.nspname AND COALESCE(t.table_name, c.relname) = c.relname
    )
\gexec

-- UPDATE on the sequences of these tables' columns: they go on behind what was loaded.
SELECT format('GRANT SELECT, UPDATE ON SEQUENCE %I.%I TO dataflow_destination', m.nspname, s.relname)
FROM pg_catalog.pg_depend AS d
INNER JOIN pg_catalog.pg_class AS s ON d.objid = s.oid
INNER JOIN pg_catalog.pg_namespace AS m ON s.relnamespace = m.oid
INNER JOIN pg_catalog.pg_class AS c ON d.refobjid = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    s.relkind = 'S'
    AND :may_swap = 0
    AND d.deptype IN ('a', 'i')
    AND EXISTS (
        SELECT 1 FROM dataflow_tables AS t
        WHERE t.schema_name = n.nspname AND COALESCE(t.table_name, c.relname) = c.relname
    )
\gexec

-- What a swap needs: on everything that it does to a table, PostgreSQL asks for its
-- owner.
SELECT format('ALTER TABLE %I.%I OWNER TO dataflow_destination', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    :may_swap = 1
    AND c.relkind IN ('r', 'p')
    AND EXISTS (
        SELECT 1 FROM dataflow_tables AS t
        WHERE t.schema_name = n.nspname AND COALESCE(t.table_name, c.relname) = c.relname
    )
\gexec

COMMIT;
