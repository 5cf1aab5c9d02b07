#include "format/jsonl.h"

#include "format/cell.h"

const struct format format_jsonl = {
	.name = "jsonl",
	.alias = "json",
	.extension = ".jsonl",
	.compressions =
		1 << FORMAT_UNCOMPRESSED | 1 << FORMAT_GZIP | 1 << FORMAT_ZSTD,
	.compression = FORMAT_UNCOMPRESSED,
	.describe = cell_describe,
	.writer_new = jsonl_writer_new,
	.reader_new = jsonl_reader_new,
};
