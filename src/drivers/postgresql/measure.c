/*
 * How much memory the rows of a read will take, before any of them comes: libpq
 * takes a row in whole, however large, and nobody can stop it then.
 *
 * The declared lengths may tell, or the longest values of the rows. To look at
 * these is cheap for texts and bytes: octet_length() of a value that lies
 * outside of its row, or is compressed, does not fetch it. Still it is a pass
 * over the table. So where nothing of a table lies outside of its rows, each of
 * which then fits on one page, and the table is not small, the bound is what a
 * page can hold when its compression is at its best.
 *
 * Values of other types have to be written out as text to know how long that
 * is, which doubles the server's work. There is no cheaper way: a numeric of
 * ten bytes may have a hundred thousand digits.
 */
#include "drivers/postgresql/source.h"

#include <string.h>

#include "drivers/postgresql/quote.h"

/* Of a declared row that is no longer, nobody asks. */
#define ROW_BYTES_FEW 65536

/* Columns that may be longer than this are asked about, if any are. */
#define COLUMN_BYTES_FEW 256

/* To look at so much takes no time worth a word. */
#define SMALL_TABLE_BYTES (INT64_C(8) << 20)

/* What a page of 8 KiB has for rows, and what becomes of a byte at most: pglz
 * writes 273 bytes as three, and a bit for each; lz4 255 as one. */
#define PAGE_BYTES 8160
#define PGLZ_TIMES 90
#define LZ4_TIMES  255

/* A character in UTF-8. */
#define CHARACTER_BYTES 4

/* How libpq's buffer begins; it is doubled until a row has room in it. */
#define BUFFER_BYTES 16384

/* libpq has a row twice: in its buffer, and in front of us. */
static uint64_t held_bytes(uint64_t row)
{
	uint64_t buffer = BUFFER_BYTES;

	while (buffer < row && buffer < UINT64_MAX / 2)
		buffer *= 2;
	return buffer <= BUFFER_BYTES ? row : row + buffer;
}

/* Bytes that a value can have by its declaration; 0: any number. */
static uint64_t declared(const struct catalog_column *column,
			 const struct column *shape)
{
	switch (pg_type_form(&column->type)) {
	case PG_FORM_TEXT:
	case PG_FORM_WORDS:
		return (uint64_t)shape->length * CHARACTER_BYTES;
	case PG_FORM_BYTEA:
	case PG_FORM_JSONB:
		return 0;
	default:
		return 16;
	}
}

static bool is_long(const struct catalog_column *column,
		    const struct column *shape)
{
	uint64_t bytes = declared(column, shape);

	return !bytes || bytes > COLUMN_BYTES_FEW;
}

/* Can octet_length() tell how long it will be, without reading it? */
static bool is_plain(const struct catalog_column *column)
{
	enum pg_form form = pg_type_form(&column->type);

	return form == PG_FORM_TEXT || form == PG_FORM_BYTEA;
}

struct measure {
	uint64_t few;	/* what the columns have that are not asked about */
	bool needed;	/* the others can be long */
	bool all_plain; /* and all of them are cheap to be asked about */
};

static struct measure look(const struct postgresql_source *source,
			   const struct table *shape)
{
	struct measure m = {.all_plain = true};
	uint64_t many = 0;

	for (size_t i = 0; i < shape->column_count; i++) {
		const struct column *def = &shape->columns[i];
		const struct catalog_column *column =
			pg_catalog_column(&source->catalog, def->name);
		uint64_t bytes;

		if (!column)
			continue; /* the read itself will say so */
		bytes = declared(column, def);
		*(is_long(column, def) ? &many : &m.few) += bytes;
		m.needed |= !bytes;
		if (is_long(column, def))
			m.all_plain &= is_plain(column);
	}
	m.needed |= many > ROW_BYTES_FEW;
	m.few += m.needed ? 0 : many;
	return m;
}

/*
 * The bound by its pages, into `bytes`; 0: it has none, or it is small enough
 * to be looked at.
 */
static int bound_by_pages(struct postgresql_source *source, uint64_t *bytes,
			  struct error *err)
{
	static const char before[] = CATALOG_PARTS
		"SELECT bool_and(c.relkind IN ('r', 'm', 'p') "
		"AND (c.reltoastrelid = 0 "
		"OR pg_relation_size(c.reltoastrelid) = 0)), "
		"COALESCE(sum(CASE WHEN c.relkind IN ('r', 'm') "
		"THEN pg_relation_size(c.oid) ELSE 0 END), 0)::int8, "
		"current_setting('block_size') = '8192', ";
	/* Whether LZ4 is in use: since version 14. */
	static const char lz4[] =
		"current_setting('default_toast_compression') = 'lz4' "
		"OR EXISTS (SELECT 1 FROM part AS q INNER JOIN pg_attribute AS "
		"a ON a.attrelid = q.oid WHERE a.attcompression = 'l') ";
	static const char after[] =
		"FROM part AS p INNER JOIN pg_class AS c ON c.oid = p.oid";
	struct pg_param id = pg_int(source->catalog.oid);
	struct pg *conn = source->conn;
	struct strbuf sql;
	int64_t rows = -1;

	*bytes = 0;
	strbuf_init(&sql);
	strbuf_addf(&sql, "%s%s%s", before,
		    pg_server_version(conn) >= 140000 ? lz4 : "false ", after);
	if (strbuf_check(&sql, err) == 0)
		rows = pg_query(conn, sql.data, &id, 1, err);
	strbuf_release(&sql);
	if (rows < 0)
		return -1;
	if (pg_get_bool(conn, 0, 0) && pg_get_bool(conn, 0, 2) &&
	    pg_get_int(conn, 0, 1) > SMALL_TABLE_BYTES)
		*bytes = PAGE_BYTES *
			 (pg_get_bool(conn, 0, 3) ? LZ4_TIMES : PGLZ_TIMES);
	pg_finish(conn);
	return 0;
}

static void build(const struct postgresql_source *source,
		  const struct table *shape, const char *from,
		  struct strbuf *sql)
{
	const char *comma = "";

	strbuf_addstr(sql, "SELECT ");
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct column *def = &shape->columns[i];
		const struct catalog_column *column =
			pg_catalog_column(&source->catalog, def->name);

		if (!column || !is_long(column, def))
			continue;
		strbuf_addf(sql, "%sCOALESCE(max(octet_length(", comma);
		if (pg_type_form(&column->type) == PG_FORM_BYTEA) {
			strbuf_addstr(sql, "t.");
			quote_name(sql, column->name);
			strbuf_addstr(sql, "::bytea");
		} else {
			pg_decode_expression(sql, column, "t");
			strbuf_addstr(sql, "::text");
		}
		strbuf_addstr(sql, ")), 0)");
		comma = ", ";
	}
	strbuf_addstr(sql, from);
}

static void take(struct postgresql_source *source, const struct table *shape)
{
	struct source_rows *rows = &source->base.rows;
	int at = 0;

	for (size_t i = 0; i < shape->column_count; i++) {
		const struct column *def = &shape->columns[i];
		const struct catalog_column *column =
			pg_catalog_column(&source->catalog, def->name);
		uint64_t length;

		if (!column || !is_long(column, def))
			continue;
		length = (uint64_t)pg_get_int(source->conn, 0, at++);
		rows->bytes += length;
		if (length >= rows->longest) {
			rows->longest = length;
			rows->column = column->name;
		}
	}
}

int pg_source_measure(struct postgresql_source *source,
		      const struct table *shape, const char *from, bool chosen,
		      struct error *err)
{
	struct source_rows *rows = &source->base.rows;
	struct measure m = look(source, shape);
	uint64_t bound = 0;
	struct strbuf sql;
	int ret = -1;

	*rows = (struct source_rows){.bytes = held_bytes(m.few)};
	if (!m.needed)
		return 0;
	if (!chosen && m.all_plain && bound_by_pages(source, &bound, err) < 0)
		return -1;
	if (bound) {
		rows->bytes = held_bytes(m.few + bound);
		return 0;
	}
	strbuf_init(&sql);
	build(source, shape, from, &sql);
	if (strbuf_check(&sql, err) == 0 &&
	    pg_query(source->conn, sql.data, NULL, 0, err) > 0) {
		rows->bytes = m.few;
		take(source, shape);
		rows->bytes = held_bytes(rows->bytes);
		pg_finish(source->conn);
		ret = 0;
	}
	strbuf_release(&sql);
	return ret;
}
