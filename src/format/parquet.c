#include "format/format_ops.h"

#include "format/parquet_file.h"
#include "format/parquet_leaf.h"

/* Times say what is lost: see schema_losses() of the engine. */
static void describe_time(const struct parquet_leaf *leaf,
			  const struct format_options *options,
			  struct column *column)
{
	bool lossy = leaf->form == PARQUET_AS_TIMESTAMP ||
		     leaf->form == PARQUET_AS_TIMESTAMPTZ;

	column->coarse = false;
	if (!lossy && leaf->form != PARQUET_AS_TIME)
		return;
	column->precision = leaf->nanos ? 7 : 6;
	column->finest = options->times == FORMAT_TIMES_MICROS && lossy;
	column->offsetless = leaf->form == PARQUET_AS_TIMESTAMPTZ;
}

static int describe(const struct format_options *options, struct column *column,
		    struct arena *arena, struct error *err)
{
	struct parquet_leaf leaf;

	if (parquet_leaf_init(&leaf, column, options, column->nullable, err) <
	    0)
		return -1;
	column->native = parquet_leaf_name(&leaf, arena);
	if (!column->native)
		return error_memory(err, "a file's columns");
	/* Lengths are no matter here. */
	column->length = 0;
	column->fixed = false;
	describe_time(&leaf, options, column);
	return 0;
}

static int add_detail(const struct format_options *options,
		      const struct column *column, struct strbuf *out,
		      struct error *err)
{
	struct parquet_leaf leaf;

	if (parquet_leaf_init(&leaf, column, options, column->nullable, err) <
	    0)
		return -1;
	switch (leaf.form) {
	case PARQUET_AS_SMALL_DECIMAL:
	case PARQUET_AS_DECIMAL:
		strbuf_addf(out, "(%d,%d)", leaf.precision, leaf.scale);
		break;
	case PARQUET_AS_TIME:
	case PARQUET_AS_TIMESTAMP:
	case PARQUET_AS_TIMESTAMPTZ:
		strbuf_addstr(out, leaf.nanos ? " in nanoseconds"
					      : " in microseconds");
		break;
	case PARQUET_AS_UUID:
		strbuf_addstr(out, " as bytes");
		break;
	case PARQUET_AS_WORDS:
		strbuf_addstr(out, " as text");
		break;
	default:
		break;
	}
	return 0;
}

const struct format format_parquet = {
	.name = "parquet",
	.extension = ".parquet",
	.compresses = true,
	.compressions = 1 << FORMAT_UNCOMPRESSED | 1 << FORMAT_GZIP |
			1 << FORMAT_SNAPPY | 1 << FORMAT_ZSTD,
	.compression = FORMAT_SNAPPY,
	.describe = describe,
	.add_detail = add_detail,
	.writer_new = parquet_writer_new,
	.reader_new = parquet_reader_new,
};
