-- DBAOps DataFlow: the login that reads a source database, with the rights that
-- it needs and no others. For SQL Server 2016 SP1 to 2022, Azure SQL Managed
-- Instance and Azure SQL Database.
--
-- Change the lines between the two rulers, and run it as a DBA in SSMS or with
-- sqlcmd, once for each source database; again whenever a table is added to the
-- list, captured for the first time, or captured anew: a second capture instance
-- is a table of its own. Running it again changes nothing else. What is taken off
-- the list keeps its grants until they are revoked.
--
-- `dbaops-dataflow check` says whether something is missing.
--
-- The facts are from Microsoft's documentation of the statement, view or function
-- that is named beside each grant, there under "Permissions".

------------------------------------------------------------------- change

-- The source database. In Azure SQL Database, which has no USE, leave this out
-- and connect to it.
USE [Shop];
GO

-- The user id of the connection string. The password counts only where the login
-- does not exist yet.
DECLARE @login sysname = N'dataflow_reader';
DECLARE @password NVARCHAR(128) = N'';

-- Tables, and the full_sync_trigger_column of those whose mapping has one. NULL
-- for a table: all tables of the schema, those to come as well.
DECLARE @tables TABLE (schema_name sysname NOT NULL, table_name sysname NULL, trigger_column sysname NULL);
INSERT INTO @tables (schema_name, table_name, trigger_column)
VALUES
(N'dbo', N'orders', NULL),
(N'dbo', N'customers', N'full_sync_requested');

-- 1: the daemon may see how far change data capture is, and why it rests.
-- With 0 it does not say why nothing is captured, and a verification that finds
-- a difference while the source is idle takes five minutes to be sure of it
-- instead of ten seconds.
DECLARE @see_state BIT = 1;

-- 1: `check` may see for how long captured changes are kept. With 0 it warns that
-- it cannot tell. Nothing else needs it.
DECLARE @see_retention BIT = 1;

-- 1: the login sees the values of masked columns (dynamic data masking), in the whole
-- database. With 0 the daemon refuses tables that have such columns, since it would
-- copy the masks. From SQL Server 2022 on GRANT UNMASK ON a schema, a table or a
-- column to dataflow_source does as well.
DECLARE @unmask BIT = 0;

----------------------------------------------------- nothing to change below

SET NOCOUNT ON;
SET XACT_ABORT ON;

DECLARE @is_azure BIT = CASE WHEN CAST(SERVERPROPERTY('EngineEdition') AS INT) = 5 THEN 1 ELSE 0 END;
DECLARE @user NVARCHAR(258) = QUOTENAME(@login);
DECLARE @secret NVARCHAR(300) = N'N''' + REPLACE(@password, N'''', N'''''') + N'''';
DECLARE @sql NVARCHAR(MAX);
DECLARE @problem NVARCHAR(2000);

SELECT @problem = N'there is no table ' + QUOTENAME(t.schema_name) + N'.' + QUOTENAME(t.table_name) + N' in ' + DB_NAME()
FROM @tables AS t
WHERE t.table_name IS NOT NULL AND OBJECT_ID(QUOTENAME(t.schema_name) + N'.' + QUOTENAME(t.table_name), N'U') IS NULL;

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

IF DATABASE_PRINCIPAL_ID(N'dataflow_source') IS NULL
    CREATE ROLE dataflow_source;

SET @sql = N'ALTER ROLE dataflow_source ADD MEMBER ' + @user;
EXEC sys.sp_executesql @sql;

-- SELECT: loads and verifications read the whole table; any right on it shows it
-- in the catalog ("Metadata Visibility Configuration"); sys.fn_cdc_get_min_lsn
-- answers only those who have SELECT on all captured columns.
SET @sql = N'';
SELECT
    @sql = @sql + N'GRANT SELECT ON '
    + CASE
        WHEN t.table_name IS NULL THEN N'SCHEMA::' + QUOTENAME(t.schema_name)
        ELSE N'OBJECT::' + QUOTENAME(t.schema_name) + N'.' + QUOTENAME(t.table_name)
    END
    + N' TO dataflow_source; '
FROM @tables AS t;
EXEC sys.sp_executesql @sql;

-- UPDATE on the trigger column alone: it is set back to 0 after a full sync. This
-- is all that the login can write.
SET @sql = N'';
SELECT
    @sql = @sql + N'GRANT UPDATE (' + QUOTENAME(t.trigger_column) + N') ON OBJECT::'
    + QUOTENAME(t.schema_name) + N'.' + QUOTENAME(t.table_name) + N' TO dataflow_source; '
FROM @tables AS t
WHERE t.trigger_column IS NOT NULL AND t.table_name IS NOT NULL;
EXEC sys.sp_executesql @sql;

-- Change data capture. Its functions are public; the daemon reads the tables
-- behind them, which have a column more (__$command_id): which instances there are
-- (change_tables), which columns they have (captured_columns), when those came
-- (ddl_history), where transactions end (lsn_time_mapping), and the changes
-- themselves. SELECT ON SCHEMA::cdc would do as well, and spare running this again
-- for a new capture instance, but opens the changes of every captured table.
-- A gating role (@role_name of sp_cdc_enable_table) has to be joined, or
-- sys.fn_cdc_get_min_lsn answers 0x00000000000000000000.
IF SCHEMA_ID(N'cdc') IS NOT NULL
BEGIN
    GRANT SELECT ON OBJECT::cdc.change_tables TO dataflow_source;
    GRANT SELECT ON OBJECT::cdc.captured_columns TO dataflow_source;
    GRANT SELECT ON OBJECT::cdc.ddl_history TO dataflow_source;
    GRANT SELECT ON OBJECT::cdc.lsn_time_mapping TO dataflow_source;

    SET @sql = N'';
    SELECT
        @sql = @sql + N'GRANT SELECT ON OBJECT::cdc.' + QUOTENAME(c.capture_instance + N'_CT')
        + N' TO dataflow_source; '
        + COALESCE(N'ALTER ROLE ' + QUOTENAME(c.role_name) + N' ADD MEMBER ' + @user + N'; ', N'')
    FROM @tables AS t
    INNER JOIN cdc.change_tables AS c
        ON
            t.schema_name = OBJECT_SCHEMA_NAME(c.source_object_id)
            AND (t.table_name IS NULL OR t.table_name = OBJECT_NAME(c.source_object_id));
    EXEC sys.sp_executesql @sql;
END;

-- VIEW CHANGE TRACKING: beside SELECT on the key, CHANGETABLE needs it, and so does
-- CHANGE_TRACKING_MIN_VALID_VERSION, which is NULL without ("Manage Change Tracking",
-- Security). For change_source = 'change_tracking' alone.
SET @sql = N'';
SELECT
    @sql = @sql + N'GRANT VIEW CHANGE TRACKING ON OBJECT::' + QUOTENAME(OBJECT_SCHEMA_NAME(c.object_id))
    + N'.' + QUOTENAME(OBJECT_NAME(c.object_id)) + N' TO dataflow_source; '
FROM @tables AS t
INNER JOIN sys.change_tracking_tables AS c
    ON
        t.schema_name = OBJECT_SCHEMA_NAME(c.object_id)
        AND (t.table_name IS NULL OR t.table_name = OBJECT_NAME(c.object_id));
EXEC sys.sp_executesql @sql;

-- VIEW DATABASE STATE: sys.dm_cdc_log_scan_sessions and sys.dm_cdc_errors. From SQL
-- Server 2022 on, VIEW DATABASE PERFORMANCE STATE, which it includes, is enough.
IF @see_state = 1
    EXEC sys.sp_executesql N'GRANT VIEW DATABASE STATE TO dataflow_source';

-- UNMASK ("Dynamic data masking", Permissions).
IF @unmask = 1
    EXEC sys.sp_executesql N'GRANT UNMASK TO dataflow_source';

COMMIT TRANSACTION;

-- SELECT ON msdb.dbo.cdc_jobs, where the retention is; in Azure SQL Database
-- it is cdc.cdc_jobs of the database itself.
IF @see_retention = 1 AND @is_azure = 1 AND OBJECT_ID(N'cdc.cdc_jobs', N'U') IS NOT NULL
    GRANT SELECT ON OBJECT::cdc.cdc_jobs TO dataflow_source;

IF @see_retention = 1 AND @is_azure = 0 AND OBJECT_ID(N'msdb.dbo.cdc_jobs') IS NOT NULL
BEGIN
    SET @sql = N'USE msdb; IF DATABASE_PRINCIPAL_ID(@login) IS NULL CREATE USER ' + @user + N' FOR LOGIN ' + @user
        + N'; GRANT SELECT ON OBJECT::dbo.cdc_jobs TO ' + @user + N';';
    EXEC sys.sp_executesql @sql, N'@login sysname', @login;
END;

-- Not granted, because only `check` would look: VIEW SERVER STATE (from SQL Server
-- 2022 on, VIEW SERVER SECURITY STATE), for sys.dm_server_services, which says whether
-- SQL Server Agent runs. With VIEW DATABASE STATE the scans of the capture job tell
-- as much.
GO
