/* The catalog of SQL Server 2000, which old clients still ask. */
#include "plan/sysviews.h"

#include <stddef.h>

#include "plan/sysviews_sql.h"

/* clang-format off */

/* syscolumns.type: the type of TDS 4, nullable ones by another number. */
#define OLD_TYPE(kind, nullable) \
	"CASE WHEN " nullable " THEN CASE " kind " WHEN 12 THEN 50 WHEN 13" \
	" THEN 38 WHEN 14 THEN 38 WHEN 15 THEN 38 WHEN 17 THEN 110 WHEN 18" \
	" THEN 110 WHEN 21 THEN 109 WHEN 22 THEN 109 WHEN 25 THEN 111 WHEN 26" \
	" THEN 111 ELSE " OLD_FIXED(kind) " END ELSE " OLD_FIXED(kind) " END"
#define OLD_FIXED(kind) \
	"CASE " kind " WHEN 1 THEN 45 WHEN 2 THEN 37 WHEN 3 THEN 47 WHEN 4" \
	" THEN 39 WHEN 5 THEN 47 WHEN 6 THEN 39 WHEN 7 THEN 37 WHEN 8 THEN 45" \
	" WHEN 9 THEN 34 WHEN 10 THEN 35 WHEN 11 THEN 35 WHEN 12 THEN 50 WHEN" \
	" 13 THEN 48 WHEN 14 THEN 52 WHEN 15 THEN 56 WHEN 16 THEN 63 WHEN 17" \
	" THEN 122 WHEN 18 THEN 60 WHEN 19 THEN 55 WHEN 20 THEN 63 WHEN 21" \
	" THEN 59 WHEN 22 THEN 62 WHEN 25 THEN 58 WHEN 26 THEN 61 WHEN 30 THEN" \
	" 39 ELSE 0 END"
/* usertype of the types of SQL Server 2000; newer ones have 0. */
#define OLD_USER_TYPE(kind, user) \
	"CASE WHEN " user " = 256 THEN 18 WHEN " user " > 256 THEN " user \
	" ELSE CASE " kind " WHEN 1 THEN 3 WHEN 2 THEN 4 WHEN 3 THEN 1 WHEN 4" \
	" THEN 2 WHEN 8 THEN 80 WHEN 9 THEN 20 WHEN 10 THEN 19 WHEN 12 THEN 16" \
	" WHEN 13 THEN 5 WHEN 14 THEN 6 WHEN 15 THEN 7 WHEN 17 THEN 21 WHEN 18" \
	" THEN 11 WHEN 19 THEN 24 WHEN 20 THEN 10 WHEN 21 THEN 23 WHEN 22 THEN" \
	" 8 WHEN 25 THEN 22 WHEN 26 THEN 12 ELSE 0 END END"

#define DIGITS(t, what) \
	"CASE WHEN " t ".kind BETWEEN 12 AND 28 THEN " t "." what " END"

const struct sysview sysviews_compat[] = {
	{"sys", "sysobjects",
	 "name:s!,id:i!,xtype:c2!,uid:h,info:h,status:i,base_schema_ver:i,"
	 "replinfo:i,parent_obj:i!,crdate:d!,ftcatid:h,schema_ver:i,"
	 "stats_schema_ver:i,type:c2,userstat:h,sysstat:h,indexdel:h,"
	 "refdate:d!,version:i,deltrig:i,instrig:i,updtrig:i,seltrig:i,"
	 "category:i,cache:h",
	 "SELECT o.name AS name, o.id AS id, " TYPE_CODE("o.type")
	 " AS xtype, o.schema_id AS uid, 0 AS info, 0 AS status, 0 AS"
	 " base_schema_ver, 0 AS replinfo, o.parent_id AS parent_obj, "
	 DATETIME_OF("o.created") " AS crdate, 0 AS ftcatid, 0 AS schema_ver,"
	 " 0 AS stats_schema_ver, CASE o.type WHEN 'PK' THEN 'K ' WHEN 'UQ'"
	 " THEN 'K ' ELSE " TYPE_CODE("o.type") " END AS type, CASE o.type"
	 " WHEN 'U' THEN 1 ELSE 0 END AS userstat, CASE o.type WHEN 'U' THEN 3"
	 " WHEN 'V' THEN 2 WHEN 'P' THEN 4 WHEN 'D' THEN 6 WHEN 'C' THEN 7"
	 " WHEN 'TR' THEN 8 WHEN 'PK' THEN 9 WHEN 'UQ' THEN 9 WHEN 'F' THEN 11"
	 " ELSE 0 END AS sysstat, 0 AS indexdel, " DATETIME_OF("o.created")
	 " AS refdate, 0 AS version, 0 AS deltrig, 0 AS instrig, 0 AS updtrig,"
	 " 0 AS seltrig, CASE WHEN o.is_ms AND o.type <> 'TT' THEN 2 ELSE 0"
	 " END AS category, 0 AS cache FROM %p%._objects o",
	 false},
	{"sys", "syscolumns",
	 "name:s,id:i!,xtype:t!,typestat:t!,xusertype:h,length:h!,xprec:t!,"
	 "xscale:t!,colid:h,xoffset:h,bitpos:t,reserved:t,colstat:h,cdefault:i"
	 ",domain:i,number:h,colorder:h,autoval:x8000,offset:h,collationid:i,"
	 "status:t,type:t,usertype:h,printfmt:v255,prec:h,scale:i,"
	 "iscomputed:i,isoutparam:i,isnullable:i,collation:s,tdscollation:B5",
	 "SELECT c.name AS name, c.object_id AS id, " SYSTEM_TYPE("c.kind")
	 " AS xtype, CASE WHEN c.nullable THEN 0 ELSE 1 END AS typestat, "
	 USER_TYPE("c.kind", "c.user_type") " AS xusertype, c.len AS length,"
	 " c.prec AS xprec, c.scale AS xscale, c.id AS colid, 0 AS xoffset, 0"
	 " AS bitpos, 0 AS reserved, CASE WHEN c.identity THEN 1 WHEN"
	 " c.computed IS NOT NULL THEN 4 ELSE 0 END AS colstat, c.default_id"
	 " AS cdefault, 0 AS domain, 0 AS number, c.id AS colorder, NULL AS"
	 " autoval, c.id AS offset, NULL AS collationid, (CASE WHEN c.nullable"
	 " THEN 8 ELSE 0 END) + (CASE WHEN c.identity THEN 128 ELSE 0 END) AS"
	 " status, " OLD_TYPE("c.kind", "c.nullable") " AS type, "
	 OLD_USER_TYPE("c.kind", "c.user_type") " AS usertype, NULL AS"
	 " printfmt, CASE WHEN c.kind IN (5, 6) AND c.len > 0 THEN c.len / 2"
	 " WHEN c.kind IN (12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,"
	 " 25, 26, 27, 28) THEN c.prec ELSE c.len END AS prec, "
	 DIGITS("c", "scale") " AS scale, c.computed IS NOT NULL AS"
	 " iscomputed, 0 AS isoutparam, c.nullable AS isnullable, "
	 COLLATION_OF("c.kind", "c.collation") " AS collation, NULL AS"
	 " tdscollation FROM %p%._columns c UNION ALL SELECT p.name,"
	 " p.object_id, " SYSTEM_TYPE("p.kind") ", 0, "
	 USER_TYPE("p.kind", "p.user_type") ", p.len, p.prec, p.scale, p.id, 0"
	 ", 0, 0, CASE WHEN p.output THEN 4 ELSE 0 END, 0, 0, 1, p.id, NULL, 0"
	 ", NULL, CASE WHEN p.output THEN 72 ELSE 8 END, "
	 OLD_TYPE("p.kind", "1") ", " OLD_USER_TYPE("p.kind", "p.user_type")
	 ", NULL, CASE WHEN p.kind IN (5, 6) AND p.len > 0 THEN p.len / 2 WHEN"
	 " p.kind BETWEEN 12 AND 28 THEN p.prec ELSE p.len END, "
	 DIGITS("p", "scale") ", 0, p.output, 1, "
	 COLLATION_OF("p.kind", "p.collation") ", NULL FROM %p%._params p",
	 false},
	{"sys", "systypes",
	 "name:s!,xtype:t!,status:t,xusertype:h,length:h!,xprec:t!,xscale:t!,"
	 "tdefault:i!,domain:i!,uid:h,reserved:h,collationid:i,usertype:h,"
	 "variable:b,allownulls:b,type:t!,printfmt:v255,prec:h,scale:t,"
	 "collation:s",
	 "SELECT t.name AS name, " SYSTEM_TYPE("t.kind") " AS xtype, CASE WHEN"
	 " t.nullable THEN 0 ELSE 1 END AS status, t.id AS xusertype, t.len AS"
	 " length, t.prec AS xprec, t.scale AS xscale, 0 AS tdefault, 0 AS"
	 " domain, t.schema_id AS uid, 0 AS reserved, NULL AS collationid, "
	 OLD_USER_TYPE("t.kind", "CASE WHEN t.schema_id = 4 AND t.id <> 256"
	 " THEN 0 ELSE t.id END") " AS usertype, t.kind IN (2, 4, 6) AS"
	 " variable, t.nullable AS allownulls, " OLD_FIXED("t.kind")
	 " AS type, NULL AS printfmt, CASE WHEN t.kind IN (5, 6) AND t.len > 0"
	 " THEN t.len / 2 WHEN t.kind BETWEEN 12 AND 28 THEN t.prec ELSE t.len"
	 " END AS prec, " DIGITS("t", "scale") " AS scale, "
	 COLLATION_OF("t.kind", "t.collation") " AS collation FROM (SELECT"
	 " name, kind, prec, scale, len, collation, id, nullable, schema_id"
	 " FROM %p%._types UNION ALL SELECT y.c0, y.c1, y.c3, y.c4, y.c2, y.c5"
	 ", y.c6, y.c6 <> 256, 4 FROM rows('types', %d%) y) t",
	 false},
	{"sys", "sysindexes",
	 "id:i!,status:i,first:B6,indid:h,root:B6,minlen:h,keycnt:h,groupid:h,"
	 "dpages:i,reserved:i,used:i,rowcnt:I,rowmodctr:i,reserved3:t,"
	 "reserved4:t,xmaxlen:h,maxirow:h,OrigFillFactor:t,StatVersion:t,"
	 "reserved2:i,FirstIAM:B6,impid:h,lockflags:h,pgmodctr:i,keys:x1088,"
	 "name:s,statblob:X,maxlen:i,rows:i",
	 "SELECT x.object_id AS id, (CASE WHEN x.is_unique THEN 2 ELSE 0 END)"
	 " + (CASE WHEN x.clustered THEN 16 ELSE 0 END) + (CASE WHEN"
	 " x.is_primary THEN 2048 ELSE 0 END) + (CASE WHEN x.is_constraint AND"
	 " NOT x.is_primary THEN 4096 ELSE 0 END) AS status, zeroblob(6) AS"
	 " first, x.id AS indid, zeroblob(6) AS root, 0 AS minlen, (SELECT"
	 " count(*) FROM %p%._index_columns k WHERE k.object_id = x.object_id"
	 " AND k.index_id = x.id AND NOT k.included) AS keycnt, 1 AS groupid,"
	 " 0 AS dpages, 0 AS reserved, 0 AS used, (SELECT c0 FROM rows("
	 "'row_count', '%p%', x.object_id, x.id)) AS rowcnt, 0 AS rowmodctr, 0"
	 " AS reserved3, 0 AS reserved4, 8000 AS xmaxlen, 0 AS maxirow, 0 AS"
	 " OrigFillFactor, 0 AS StatVersion, 0 AS reserved2, zeroblob(6) AS"
	 " FirstIAM, 0 AS impid, 0 AS lockflags, 0 AS pgmodctr, NULL AS keys,"
	 " x.name AS name, NULL AS statblob, 8000 AS maxlen, (SELECT c0 FROM"
	 " rows('row_count', '%p%', x.object_id, x.id)) AS rows FROM (SELECT"
	 " i.object_id, i.id, i.name, i.clustered, i.is_unique, i.is_primary,"
	 " i.is_constraint FROM %p%._indexes i UNION ALL SELECT o.id, 0, NULL,"
	 " 0, 0, 0, 0 FROM %p%._objects o WHERE o.type = 'U' AND NOT"
	 " EXISTS(SELECT 1 FROM %p%._indexes h WHERE h.object_id = o.id AND"
	 " h.clustered)) x",
	 false},
	{"sys", "syscomments",
	 "id:i!,number:h,colid:h!,status:h!,ctext:x8000,texttype:h,language:h,"
	 "encrypted:b!,compressed:b!,text:n4000",
	 "SELECT o.id AS id, 1 AS number, n.column1 AS colid, 0 AS status,"
	 " NULL AS ctext, 2 AS texttype, 0 AS language, 0 AS encrypted, 0 AS"
	 " compressed, substr(CASE WHEN o.type IN ('C', 'D') THEN "
	 DEFINITION("o.text") " ELSE o.text END, 4000 * n.column1 - 3999,"
	 " 4000) AS text FROM %p%._objects o JOIN (VALUES(1), (2), (3), (4), (5), (6), (7),"
	 " (8)) n ON length(o.text) > 4000 * (n.column1 - 1)",
	 false},
	{"sys", "sysdatabases",
	 "name:s!,dbid:h,sid:x85,mode:h,status:i,status2:i,crdate:d!,"
	 "reserved:d,category:i,cmptlevel:t!,filename:n260,version:h",
	 "SELECT c0 AS name, c1 AS dbid, x'01' AS sid, 0 AS mode, (CASE WHEN"
	 " c10 = 3 THEN 8 WHEN c10 = 2 THEN 4 ELSE 0 END) + (CASE WHEN c6 THEN"
	 " 1024 ELSE 0 END) + (CASE WHEN c7 THEN 512 ELSE 0 END) + 65536 AS"
	 " status, 16777216 AS status2, c2 AS crdate, 0 AS reserved, 0 AS"
	 " category, c3 AS cmptlevel, c15 AS filename, 904 AS version FROM"
	 " rows('databases')",
	 true},
	{"sys", "sysusers",
	 "uid:h,status:h,name:s!,sid:x85,roles:x2048,createdate:d!,"
	 "updatedate:d!,altuid:h,password:x256,gid:h,environ:v255,hasdbaccess:i"
	 ",islogin:i,isntname:i,isntgroup:i,isntuser:i,issqluser:i,isaliased:i"
	 ",issqlrole:i,isapprole:i",
	 "SELECT id AS uid, 0 AS status, name, CASE WHEN login > 0 THEN"
	 " login_sid_(login) END AS sid, NULL AS roles, " SHIPPED_DATE
	 " AS createdate, " SHIPPED_DATE " AS updatedate, owner AS altuid,"
	 " NULL AS password, CASE type WHEN 'R' THEN id ELSE 0 END AS gid,"
	 " NULL AS environ, ifnull(id = 1 OR login > 0, 0) AS hasdbaccess, type = 'S' AS"
	 " islogin, 0 AS isntname, 0 AS isntgroup, 0 AS isntuser, type = 'S'"
	 " AS issqluser, 0 AS isaliased, type = 'R' AS issqlrole, 0 AS"
	 " isapprole FROM %p%._principals",
	 false},
	{"sys", "sysforeignkeys",
	 "constid:i,fkeyid:i,rkeyid:i,fkey:h,rkey:h,keyno:h",
	 "SELECT c.fk AS constid, f.parent AS fkeyid, f.referenced AS rkeyid,"
	 " c.parent_col AS fkey, c.ref_col AS rkey, c.ordinal AS keyno FROM"
	 " %p%._fk_columns c JOIN %p%._fks f ON f.id = c.fk",
	 false},
	{"sys", "sysprocesses",
	 "spid:h!,kpid:h!,blocked:h!,waittype:B2!,waittime:I!,"
	 "lastwaittype:n32!,waitresource:n256!,dbid:h!,uid:h,cpu:i!,"
	 "physical_io:I!,memusage:i!,login_time:d!,last_batch:d!,ecid:h!,"
	 "open_tran:h!,status:n30!,sid:B86!,hostname:n128!,program_name:n128!,"
	 "hostprocess:n10!,cmd:n26!,nt_domain:n128!,nt_username:n128!,"
	 "net_address:n12!,net_library:n12!,loginame:n128!,context_info:B128!,"
	 "sql_handle:B20!,stmt_start:i!,stmt_end:i!,request_id:i!,"
	 "page_resource:B8",
	 "SELECT c0 AS spid, 0 AS kpid, c15 AS blocked, zeroblob(2) AS"
	 " waittype, 0 AS waittime, 'MISCELLANEOUS' AS lastwaittype, '' AS"
	 " waitresource, c9 AS dbid, 1 AS uid, 0 AS cpu, 0 AS physical_io, 0"
	 " AS memusage, c1 AS login_time, c1 AS last_batch, 0 AS ecid, c7 AS"
	 " open_tran, CASE WHEN c15 THEN 'suspended' WHEN c6 THEN 'runnable'"
	 " ELSE 'sleeping' END AS status, zeroblob(86) AS sid, c2 AS hostname,"
	 " c3 AS program_name, CAST(c4 AS TEXT) AS hostprocess, CASE WHEN c6"
	 " THEN 'SELECT' ELSE 'AWAITING COMMAND' END AS cmd, '' AS nt_domain,"
	 " '' AS nt_username, '' AS net_address, 'TCP/IP' AS net_library, c5"
	 " AS loginame, zeroblob(128) AS context_info, zeroblob(20) AS"
	 " sql_handle, 0 AS stmt_start, -1 AS stmt_end, 0 AS request_id, NULL"
	 " AS page_resource FROM rows('sessions')",
	 true},
	{NULL, NULL, NULL, NULL, false},
};
/* clang-format on */
