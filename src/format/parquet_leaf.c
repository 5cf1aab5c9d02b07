#include "format/parquet_leaf.h"

#include "base/strbuf.h"
#include "format/format_ops.h"

#define DECIMAL_MAX    38
#define INT32_DIGITS   9
#define INT64_DIGITS   18
#define UINT64_DIGITS  20
#define UUID_BYTES     16
#define MICROS_DIGITS  6
#define FINEST_DIGITS  7
#define SMALL_INT_BITS 16

/* Fields and values of parquet.thrift. */
enum {
	CONVERTED_UTF8 = 0,
	CONVERTED_DECIMAL = 5,
	CONVERTED_DATE = 6,
	CONVERTED_TIME_MICROS = 8,
	CONVERTED_TIMESTAMP_MICROS = 10,
	CONVERTED_INT_8 = 15,
	CONVERTED_INT_16 = 16,
	CONVERTED_JSON = 19,
	LOGICAL_STRING = 1,
	LOGICAL_DECIMAL = 5,
	LOGICAL_DATE = 6,
	LOGICAL_TIME = 7,
	LOGICAL_TIMESTAMP = 8,
	LOGICAL_INTEGER = 10,
	LOGICAL_JSON = 12,
	LOGICAL_UUID = 14,
	UNIT_MICROS = 2,
	UNIT_NANOS = 3,
};

row_int128 parquet_power(int digits)
{
	row_int128 power = 1;

	while (digits-- > 0)
		power *= 10;
	return power;
}

/* Bytes that every number of so many digits, of either sign, fits into. */
static size_t decimal_bytes(int digits)
{
	unsigned __int128 most = (unsigned __int128)parquet_power(digits) - 1;
	size_t bits = 1;

	for (; most; most >>= 1)
		bits++;
	return (bits + 7) / 8;
}

static void set(struct parquet_leaf *leaf, enum parquet_form form,
		enum parquet_type type, size_t width)
{
	leaf->form = form;
	leaf->type = type;
	leaf->width = width;
	leaf->kind = type == PARQUET_BYTE_ARRAY || type == PARQUET_FIXED
			     ? PARQUET_SLICES
		     : type == PARQUET_FLOAT || type == PARQUET_DOUBLE
			     ? PARQUET_REALS
			     : PARQUET_NUMBERS;
}

/* A numeric(3,5) of PostgreSQL has five digits, all of them behind the point. */
static int set_decimal(struct parquet_leaf *leaf, struct error *err)
{
	const struct column *column = leaf->column;

	leaf->scale = column->scale;
	leaf->precision = column->precision > column->scale ? column->precision
							    : column->scale;
	leaf->is_signed = true;
	if (leaf->precision < 1 || leaf->precision > DECIMAL_MAX ||
	    leaf->scale < 0)
		return format_refuse_column(
			column, "it has no fixed number of digits", err);
	if (leaf->precision <= INT32_DIGITS)
		set(leaf, PARQUET_AS_SMALL_DECIMAL, PARQUET_INT32, 4);
	else if (leaf->precision <= INT64_DIGITS)
		set(leaf, PARQUET_AS_SMALL_DECIMAL, PARQUET_INT64, 8);
	else
		set(leaf, PARQUET_AS_DECIMAL, PARQUET_FIXED,
		    decimal_bytes(leaf->precision));
	return 0;
}

static void set_uint64(struct parquet_leaf *leaf)
{
	leaf->precision = UINT64_DIGITS;
	leaf->is_signed = true;
	set(leaf, PARQUET_AS_UINT64, PARQUET_FIXED,
	    decimal_bytes(UINT64_DIGITS));
}

/*
 * A datetime of SQL Server is rounded as that shows it. Nothing else is finer
 * than its column says, and what is, is refused; but datetime2(7) in
 * microseconds is rounded, which format_table() tells.
 */
static void set_unit(struct parquet_leaf *leaf, bool nanos)
{
	const struct column *column = leaf->column;
	int kept = nanos ? FINEST_DIGITS : MICROS_DIGITS;

	leaf->nanos = nanos;
	leaf->rounds = column->coarse || column->precision > kept;
	leaf->digits = column->coarse ? column->precision : kept;
}

static void set_timestamp(struct parquet_leaf *leaf, enum format_times times)
{
	const struct column *column = leaf->column;
	bool zone = column->type == ROW_TIMESTAMPTZ;
	bool fine = column->precision > MICROS_DIGITS;

	if (times == FORMAT_TIMES_TEXT && (fine || zone)) {
		set(leaf, PARQUET_AS_WORDS, PARQUET_BYTE_ARRAY, 0);
		leaf->digits = column->precision;
		return;
	}
	set_unit(leaf, fine && times == FORMAT_TIMES_NANOS);
	set(leaf, zone ? PARQUET_AS_TIMESTAMPTZ : PARQUET_AS_TIMESTAMP,
	    PARQUET_INT64, 8);
}

int parquet_leaf_init(struct parquet_leaf *leaf, const struct column *column,
		      const struct format_options *options, bool optional,
		      struct error *err)
{
	*leaf = (struct parquet_leaf){.column = column, .optional = optional};
	if (format_check_column(column, err) < 0)
		return -1;
	switch (column->type) {
	case ROW_BOOL:
		set(leaf, PARQUET_AS_INT, PARQUET_BOOLEAN, 0);
		break;
	case ROW_UINT8:
	case ROW_INT8:
	case ROW_INT16:
	case ROW_INT32:
		set(leaf, PARQUET_AS_INT, PARQUET_INT32, 4);
		break;
	case ROW_INT64:
		set(leaf, PARQUET_AS_INT, PARQUET_INT64, 8);
		break;
	case ROW_UINT64:
		set_uint64(leaf);
		break;
	case ROW_FLOAT32:
		set(leaf, PARQUET_AS_FLOAT, PARQUET_FLOAT, 4);
		break;
	case ROW_FLOAT64:
		set(leaf, PARQUET_AS_DOUBLE, PARQUET_DOUBLE, 8);
		break;
	case ROW_DECIMAL:
		return set_decimal(leaf, err);
	case ROW_TEXT:
	case ROW_JSON:
	case ROW_XML:
	case ROW_BYTES:
		set(leaf, PARQUET_AS_SLICE, PARQUET_BYTE_ARRAY, 0);
		break;
	case ROW_DATE:
		set(leaf, PARQUET_AS_DATE, PARQUET_INT32, 4);
		break;
	case ROW_TIME: /* a day has few enough nanoseconds */
		set(leaf, PARQUET_AS_TIME, PARQUET_INT64, 8);
		set_unit(leaf, column->precision > MICROS_DIGITS);
		break;
	case ROW_TIMESTAMP:
	case ROW_TIMESTAMPTZ:
		set_timestamp(leaf, options->times);
		break;
	case ROW_UUID:
		if (options->uuid_text)
			set(leaf, PARQUET_AS_WORDS, PARQUET_BYTE_ARRAY, 0);
		else
			set(leaf, PARQUET_AS_UUID, PARQUET_FIXED, UUID_BYTES);
		break;
	}
	return 0;
}

/* ------------------------------------------------------------- annotations */

/* The field of LogicalType; 0: none, the physical type says it all. */
static int logical_type(const struct parquet_leaf *leaf)
{
	switch (leaf->form) {
	case PARQUET_AS_INT:
		return leaf->column->type == ROW_INT8 ||
				       leaf->column->type == ROW_UINT8 ||
				       leaf->column->type == ROW_INT16
			       ? LOGICAL_INTEGER
			       : 0;
	case PARQUET_AS_DATE:
		return LOGICAL_DATE;
	case PARQUET_AS_TIME:
		return LOGICAL_TIME;
	case PARQUET_AS_TIMESTAMP:
	case PARQUET_AS_TIMESTAMPTZ:
		return LOGICAL_TIMESTAMP;
	case PARQUET_AS_SMALL_DECIMAL:
	case PARQUET_AS_DECIMAL:
	case PARQUET_AS_UINT64:
		return LOGICAL_DECIMAL;
	case PARQUET_AS_UUID:
		return LOGICAL_UUID;
	case PARQUET_AS_WORDS:
		return LOGICAL_STRING;
	case PARQUET_AS_SLICE:
		return leaf->column->type == ROW_BYTES	? 0
		       : leaf->column->type == ROW_JSON ? LOGICAL_JSON
							: LOGICAL_STRING;
	default:
		return 0;
	}
}

static int int_bits(const struct parquet_leaf *leaf)
{
	return leaf->column->type == ROW_INT8 ? 8 : SMALL_INT_BITS;
}

/*
 * What older readers look at; -1: they have no word for it. Times without a zone
 * have the same one as those in UTC, as the format's own rules want it.
 */
static int converted_type(const struct parquet_leaf *leaf, int logical)
{
	switch (logical) {
	case LOGICAL_STRING:
		return CONVERTED_UTF8;
	case LOGICAL_DECIMAL:
		return CONVERTED_DECIMAL;
	case LOGICAL_DATE:
		return CONVERTED_DATE;
	case LOGICAL_TIME:
		return leaf->nanos ? -1 : CONVERTED_TIME_MICROS;
	case LOGICAL_TIMESTAMP:
		return leaf->nanos ? -1 : CONVERTED_TIMESTAMP_MICROS;
	case LOGICAL_INTEGER:
		return int_bits(leaf) == 8 ? CONVERTED_INT_8 : CONVERTED_INT_16;
	case LOGICAL_JSON:
		return CONVERTED_JSON;
	default:
		return -1;
	}
}

static void write_unit(const struct parquet_leaf *leaf,
		       struct thrift_writer *writer)
{
	thrift_put_bool(writer, 1, leaf->form == PARQUET_AS_TIMESTAMPTZ);
	thrift_put_struct(writer, 2);
	thrift_put_struct(writer, leaf->nanos ? UNIT_NANOS : UNIT_MICROS);
	thrift_end(writer);
	thrift_end(writer);
}

static void write_logical(const struct parquet_leaf *leaf, int logical,
			  struct thrift_writer *writer)
{
	thrift_put_struct(writer, 10);
	thrift_put_struct(writer, logical);
	if (logical == LOGICAL_DECIMAL) {
		thrift_put_i32(writer, 1, leaf->scale);
		thrift_put_i32(writer, 2, leaf->precision);
	} else if (logical == LOGICAL_TIME || logical == LOGICAL_TIMESTAMP) {
		write_unit(leaf, writer);
	} else if (logical == LOGICAL_INTEGER) {
		thrift_put_byte(writer, 1, int_bits(leaf));
		thrift_put_bool(writer, 2, true);
	}
	thrift_end(writer);
	thrift_end(writer);
}

void parquet_leaf_write(const struct parquet_leaf *leaf,
			struct thrift_writer *writer)
{
	int logical = logical_type(leaf);
	int converted = converted_type(leaf, logical);

	thrift_begin(writer);
	thrift_put_i32(writer, 1, (int32_t)leaf->type);
	if (leaf->type == PARQUET_FIXED)
		thrift_put_i32(writer, 2, (int32_t)leaf->width);
	thrift_put_i32(writer, 3, leaf->optional);
	thrift_put_string(writer, 4, leaf->column->name);
	if (converted >= 0)
		thrift_put_i32(writer, 6, converted);
	if (logical == LOGICAL_DECIMAL) {
		thrift_put_i32(writer, 7, leaf->scale);
		thrift_put_i32(writer, 8, leaf->precision);
	}
	if (logical)
		write_logical(leaf, logical, writer);
	thrift_end(writer);
}

/* -------------------------------------------------------------------- words */

static void add_annotation(const struct parquet_leaf *leaf, struct strbuf *out)
{
	const char *unit = leaf->nanos ? "NANOS" : "MICROS";

	switch (logical_type(leaf)) {
	case LOGICAL_STRING:
		strbuf_addstr(out, " STRING");
		break;
	case LOGICAL_JSON:
		strbuf_addstr(out, " JSON");
		break;
	case LOGICAL_DATE:
		strbuf_addstr(out, " DATE");
		break;
	case LOGICAL_UUID:
		strbuf_addstr(out, " UUID");
		break;
	case LOGICAL_INTEGER:
		strbuf_addf(out, " INT(%d)", int_bits(leaf));
		break;
	case LOGICAL_DECIMAL:
		strbuf_addf(out, " DECIMAL(%d,%d)", leaf->precision,
			    leaf->scale);
		break;
	case LOGICAL_TIME:
		strbuf_addf(out, " TIME(%s)", unit);
		break;
	case LOGICAL_TIMESTAMP:
		strbuf_addf(out, " TIMESTAMP(%s%s)", unit,
			    leaf->form == PARQUET_AS_TIMESTAMPTZ ? ", UTC"
								 : "");
		break;
	default:
		break;
	}
}

const char *parquet_leaf_name(const struct parquet_leaf *leaf,
			      struct arena *arena)
{
	static const char *const names[] = {
		[PARQUET_BOOLEAN] = "BOOLEAN",
		[PARQUET_INT32] = "INT32",
		[PARQUET_INT64] = "INT64",
		[PARQUET_INT96] = "INT96",
		[PARQUET_FLOAT] = "FLOAT",
		[PARQUET_DOUBLE] = "DOUBLE",
		[PARQUET_BYTE_ARRAY] = "BYTE_ARRAY",
		[PARQUET_FIXED] = "FIXED_LEN_BYTE_ARRAY",
	};
	struct strbuf out;
	const char *name;

	strbuf_init(&out);
	strbuf_addstr(&out, names[leaf->type]);
	if (leaf->type == PARQUET_FIXED)
		strbuf_addf(&out, "(%zu)", leaf->width);
	add_annotation(leaf, &out);
	name = out.failed ? NULL : arena_strdup(arena, out.data);
	strbuf_release(&out);
	return name;
}
