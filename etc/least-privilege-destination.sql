-- DBAOps DataFlow: the login that writes a destination database, with the rights
-- that it needs and no others. For SQL Server 2016 SP1 to 2022, Azure SQL Managed
-- Instance and Azure SQL Database.
--
-- Change the lines between the two rulers, and run it as a DBA in SSMS or with
-- sqlcmd, once for each destination database; again whenever something is added
-- to the list. Running it again changes nothing else. What is taken off the list
-- keeps its grants until they are revoked.
--
-- For mappings without a target_id the login is DEST_USER, which works in the
-- control database as well: least-privilege-control.sql.
-- `dbaops-dataflow check` says whether something is missing.
--
-- The facts are from Microsoft's documentation of the statement or function that is
-- named beside each grant, there under "Permissions".

------------------------------------------------------------------- change

-- The destination database. In Azure SQL Database, which has no USE, leave this
-- out and connect to it.
USE [Reports];
GO

-- DEST_USER, or the user id of the target's connection string. The password counts
-- only where the login does not exist yet.
DECLARE @login sysname = N'dataflow_writer';
DECLARE @password NVARCHAR(128) = N'';

-- Destination tables. NULL for a table: all tables of the schema, those to come as
-- well; only there can the daemon create a table that is missing.
DECLARE @tables TABLE (schema_name sysname NOT NULL, table_name sysname NULL);
INSERT INTO @tables (schema_name, table_name)
VALUES
(N'dbo', N'orders'),
(N'sales', NULL);

-- 1: the login may alter these tables. A full sync then swaps the new rows in within
-- a moment, and identity columns can be filled; they go on behind the last row. With 0 it applies the
-- difference row by row, cannot fill identity columns, and creates no tables.
-- Consider that whoever may alter a table can put a trigger on it, which
-- runs with the rights of the table's owner: of dbo's, if the schema is dbo's. A
-- schema with an owner of its own (ALTER AUTHORIZATION ON SCHEMA::) ends that.
DECLARE @may_alter BIT = 1;

-- 1: the daemon may create the schema of a mapping that does not exist yet.
-- What it creates, the login owns.
DECLARE @may_create_schemas BIT = 0;

----------------------------------------------------- nothing to change below

SET NOCOUNT ON;
SET XACT_ABORT ON;

DECLARE @is_azure BIT = CASE WHEN CAST(SERVERPROPERTY('EngineEdition') AS INT) = 5 THEN 1 ELSE 0 END;
DECLARE @user NVARCHAR(258) = QUOTENAME(@login);
DECLARE @secret NVARCHAR(300) = N'N''' + REPLACE(@password, N'''', N'''''') + N'''';
DECLARE @rights NVARCHAR(200);
DECLARE @sql NVARCHAR(MAX);
DECLARE @problem NVARCHAR(2000);

SELECT @problem = N'there is no schema or table ' + QUOTENAME(t.schema_name)
    + COALESCE(N'.' + QUOTENAME(t.table_name), N'') + N' in ' + DB_NAME()
FROM @tables AS t
WHERE
    SCHEMA_ID(t.schema_name) IS NULL
    OR (t.table_name IS NOT NULL AND OBJECT_ID(QUOTENAME(t.schema_name) + N'.' + QUOTENAME(t.table_name), N'U') IS NULL);

IF @problem IS NULL AND @is_azure = 0 AND SUSER_ID(@login) IS NULL AND @password = N''
    SET @problem = N'login ' + @user + N' does not exist; set @password to have it made';

IF @problem IS NOT NULL
    THROW 50000, @problem, 1;

-- The login, the user, and a role for the grants. In Azure SQL Database the user
-- has the password itself.
IF @is_azure = 0 AND SUSER_ID(@login) IS NULL
BEGIN
    SET @sql = N'CREATE LOGIN ' + @user + N' WITH PASSWORD = ' + @secret;
    EXEC sys.sp_executesql @sql;
END;

BEGIN TRANSACTION;

IF DATABASE_PRINCIPAL_ID(@login) IS NULL
BEGIN
    SET @sql = N'CREATE USER ' + @user
        + CASE WHEN @is_azure = 1 THEN N' WITH PASSWORD = ' + @secret ELSE N' FOR LOGIN ' + @user END;
    EXEC sys.sp_executesql @sql;
END;

IF DATABASE_PRINCIPAL_ID(N'dataflow_destination') IS NULL
    CREATE ROLE dataflow_destination;

SET @sql = N'ALTER ROLE dataflow_destination ADD MEMBER ' + @user;
EXEC sys.sp_executesql @sql;

-- The schema dataflow: checkpoints, the state of loads, rows that were put aside, and
-- the tables that loads fill before they are swapped in. The role owns it, which
-- is all rights in it, and whose triggers would run with no rights of dbo's.
IF SCHEMA_ID(N'dataflow') IS NULL
    EXEC sys.sp_executesql N'CREATE SCHEMA dataflow AUTHORIZATION dataflow_destination';
ELSE
    EXEC sys.sp_executesql N'ALTER AUTHORIZATION ON SCHEMA::dataflow TO dataflow_destination';

-- CREATE TABLE, which needs ALTER on the schema as well: for the tables of the
-- schema dataflow, and for destination tables that are missing.
EXEC sys.sp_executesql N'GRANT CREATE TABLE TO dataflow_destination';

-- CREATE SCHEMA: for the destination schemas that are missing.
IF @may_create_schemas = 1
    EXEC sys.sp_executesql N'GRANT CREATE SCHEMA TO dataflow_destination';

-- SELECT: verifications read, and changes are joined with what is there. INSERT,
-- UPDATE, DELETE: changes, repairs, and loads that are not swapped in. ALTER: TRUNCATE
-- TABLE, ALTER TABLE … SWITCH (on both tables), SET IDENTITY_INSERT, and on
-- a schema CREATE TABLE. Bulk loads go into the schema dataflow and tempdb alone: what
-- bcp needs ALTER for (constraints, triggers, identities) is not at stake here.
-- CHECK constraints that call functions need REFERENCES on those, which is not
-- granted here.
SET @rights = N'SELECT, INSERT, UPDATE, DELETE' + CASE WHEN @may_alter = 1 THEN N', ALTER' ELSE N'' END;
SET @sql = N'';
SELECT
    @sql = @sql + N'GRANT ' + @rights + N' ON '
    + CASE
        WHEN t.table_name IS NULL THEN N'SCHEMA::' + QUOTENAME(t.schema_name)
        ELSE N'OBJECT::' + QUOTENAME(t.schema_name) + N'.' + QUOTENAME(t.table_name)
    END
    + N' TO dataflow_destination; '
FROM @tables AS t;
EXEC sys.sp_executesql @sql;

COMMIT TRANSACTION;

-- Not granted, because only `check` would look: VIEW SERVER STATE (from SQL Server
-- 2022 on, VIEW SERVER PERFORMANCE STATE), for sys.dm_os_volume_stats, which says how
-- much room there is on the disks.
GO
