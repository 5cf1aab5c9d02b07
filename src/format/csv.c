#include "format/csv.h"

#include "format/cell.h"

const struct format format_csv = {
	.name = "csv",
	.extension = ".csv",
	.compressions =
		1 << FORMAT_UNCOMPRESSED | 1 << FORMAT_GZIP | 1 << FORMAT_ZSTD,
	.compression = FORMAT_UNCOMPRESSED,
	.describe = cell_describe,
	.writer_new = csv_writer_new,
	.reader_new = csv_reader_new,
};
