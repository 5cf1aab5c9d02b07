#include "engine/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "row/text.h"

#define KEY_TEXT_MAX 1000

static const char *const kinds[] = {
	[TALLY_TAIL] = "TAIL",
	[TALLY_WHOLE] = "WHOLE",
	[TALLY_CHOSEN] = "RESYNC",
};

#define KIND_COUNT (sizeof(kinds) / sizeof(*kinds))

int tally_init(struct tally *tally, enum tally_kind kind, struct error *err)
{
	memset(tally, 0, sizeof(*tally));
	tally->kind = kind;
	tally->started_us = clock_utc_us();
	tally->shown = json_array();
	return tally->shown ? 0 : error_memory(err, "a verification");
}

void tally_release(struct tally *tally)
{
	row_key_release(&tally->at.key);
	row_key_release(&tally->since);
	free(tally->condition);
	free(tally->place);
	json_decref(tally->shown);
	memset(tally, 0, sizeof(*tally));
}

const char *tally_type(const struct tally *tally, bool repair)
{
	if (tally->kind == TALLY_CHOSEN || !repair)
		return kinds[tally->kind];
	return tally->dry_run ? "DRY_RUN" : "REPAIR";
}

/* ---------------------------------------------------------------- for later */

static json_t *format_sum(const struct row_sum *sum)
{
	return json_pack("[I, I, I, I, I]", (json_int_t)sum->rows,
			 (json_int_t)sum->words[0], (json_int_t)sum->words[1],
			 (json_int_t)sum->words[2], (json_int_t)sum->words[3]);
}

static void parse_sum(const json_t *in, struct row_sum *sum)
{
	sum->rows = (uint64_t)json_integer_value(json_array_get(in, 0));
	for (size_t i = 0; i < 4; i++)
		sum->words[i] =
			(uint64_t)json_integer_value(json_array_get(in, i + 1));
}

static json_t *format_key(const struct row_key *key)
{
	struct strbuf hex;
	json_t *out;

	if (!key->bytes)
		return json_null();
	strbuf_init(&hex);
	row_key_format(key, &hex);
	out = hex.failed ? NULL : json_string(hex.data);
	strbuf_release(&hex);
	return out;
}

char *tally_format(const struct tally *tally)
{
	json_t *root = json_pack(
		"{s:s, s:b, s:b, s:i, s:I, s:I, s:i, s:o, s:o, s:o, s:I, s:I, "
		"s:I, s:s?, s:O, s:b, s:b, s:b, s:I, s:s?, s:b, s:o, s:I}",
		"kind", kinds[tally->kind], "repair", tally->repair, "dry_run",
		tally->dry_run, "request_id", tally->request_id, "started_us",
		(json_int_t)tally->started_us, "total",
		(json_int_t)tally->total, "side", (int)tally->at.side, "at",
		format_key(&tally->at.key), "source_sum",
		format_sum(&tally->sums[COMPARE_SOURCE]), "dest_sum",
		format_sum(&tally->sums[COMPARE_DEST]), "compared",
		(json_int_t)tally->compared, "mismatches",
		(json_int_t)tally->mismatches, "repaired",
		(json_int_t)tally->repaired, "condition", tally->condition,
		"shown", tally->shown, "ended", tally->ended, "truncated",
		tally->truncated, "proves", tally->proves, "objects",
		(json_int_t)tally->objects, "place", tally->place, "apart",
		tally->apart, "since", format_key(&tally->since), "looked",
		(json_int_t)tally->looked);
	char *text = json_format(root, JSON_COMPACT);

	json_decref(root);
	return text;
}

static int find_kind(const char *name)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (!strcmp(kinds[i], name))
			return (int)i;
	return -1;
}

struct parsed {
	const char *kind;
	json_t *at, *since, *condition, *place; /* texts, or null */
	int repair, dry_run, side, ended, truncated, proves, apart;
	json_int_t started_us, total, compared, mismatches, repaired, objects;
	json_int_t looked;
	json_t *source_sum, *dest_sum, *shown;
};

static int take_parsed(struct tally *tally, const struct parsed *in,
		       struct error *err)
{
	const char *at = json_string_value(in->at);
	const char *since = json_string_value(in->since);
	const char *condition = json_string_value(in->condition);
	const char *place = json_string_value(in->place);

	tally->kind = (enum tally_kind)find_kind(in->kind);
	tally->repair = in->repair;
	tally->dry_run = in->dry_run;
	tally->ended = in->ended;
	tally->truncated = in->truncated;
	tally->started_us = in->started_us;
	tally->total = (uint64_t)in->total;
	tally->compared = (uint64_t)in->compared;
	tally->mismatches = (uint64_t)in->mismatches;
	tally->repaired = (uint64_t)in->repaired;
	parse_sum(in->source_sum, &tally->sums[COMPARE_SOURCE]);
	parse_sum(in->dest_sum, &tally->sums[COMPARE_DEST]);
	tally->shown = json_incref(in->shown);
	tally->at.side = in->side ? COMPARE_DEST : COMPARE_SOURCE;
	if (at && row_key_parse(&tally->at.key, at, err) < 0)
		return -1;
	if (since && row_key_parse(&tally->since, since, err) < 0)
		return -1;
	tally->apart = in->apart;
	tally->looked = (uint64_t)in->looked;
	tally->proves = in->proves;
	tally->objects = (uint64_t)in->objects;
	tally->place = place ? strdup(place) : NULL;
	tally->condition = condition ? strdup(condition) : NULL;
	if ((condition && !tally->condition) || (place && !tally->place))
		return error_memory(err, "a verification");
	return 0;
}

#define UNREADABLE "the progress of a verification cannot be read"

int tally_parse(struct tally *tally, const char *text, struct error *err)
{
	struct parsed in = {.at = NULL};
	json_error_t why;
	json_t *root = json_parse(text, err);
	int ret = -1;

	memset(tally, 0, sizeof(*tally));
	if (!root)
		return error_wrap(err, UNREADABLE);
	if (json_unpack_ex(
		    root, &why, 0,
		    "{s:s, s:b, s:b, s:i, s:I, s:I, s:i, s:o, s:o, s:o, s:I, "
		    "s:I, s:I, s:o, s:o, s?b, s?b, s?b, s?I, s?o, s?b, s?o, "
		    "s?I}",
		    "kind", &in.kind, "repair", &in.repair, "dry_run",
		    &in.dry_run, "request_id", &tally->request_id, "started_us",
		    &in.started_us, "total", &in.total, "side", &in.side, "at",
		    &in.at, "source_sum", &in.source_sum, "dest_sum",
		    &in.dest_sum, "compared", &in.compared, "mismatches",
		    &in.mismatches, "repaired", &in.repaired, "condition",
		    &in.condition, "shown", &in.shown, "ended", &in.ended,
		    "truncated", &in.truncated, "proves", &in.proves, "objects",
		    &in.objects, "place", &in.place, "apart", &in.apart,
		    "since", &in.since, "looked", &in.looked) == 0 &&
	    find_kind(in.kind) >= 0 && json_is_array(in.shown))
		ret = take_parsed(tally, &in, err);
	else
		error_set(err, ERROR_DATA, UNREADABLE ": %s", why.text);
	json_decref(root);
	if (ret < 0)
		tally_release(tally);
	return ret;
}

/* ---------------------------------------------------------------- tally */

static const char *kind_of_difference(enum compare_verdict verdict)
{
	switch (verdict) {
	case COMPARE_ONLY_SOURCE:
		return "MISSING";
	case COMPARE_ONLY_DEST:
		return "EXTRA";
	case COMPARE_SAME:
	case COMPARE_CHANGED:
	case COMPARE_DIFFERENT:
		break;
	}
	return "DIFFERENT";
}

static int show(struct tally *tally, const struct compare_row *row,
		struct error *err)
{
	struct strbuf key;
	json_t *shown = NULL;
	int rc;

	strbuf_init(&key);
	row_format_key(&key, row->keys, row->at);
	if (key.len > KEY_TEXT_MAX)
		key.data[KEY_TEXT_MAX] = '\0';
	text_make_utf8(key.data);
	if (!key.failed)
		shown = json_pack("{s:s, s:s}", "key", key.data, "difference",
				  kind_of_difference(row->verdict));
	rc = json_array_append_new(tally->shown, shown);
	strbuf_release(&key);
	return rc ? error_memory(err, "a verification") : 0;
}

int tally_add(struct tally *tally, const struct compare_row *row,
	      struct error *err)
{
	bool differs =
		row->verdict != COMPARE_SAME && row->verdict != COMPARE_CHANGED;

	/* What changed meanwhile is as the source has it by now. */
	for (int side = 0; side < COMPARE_SIDES; side++) {
		const struct row_digest *md5 =
			row->verdict == COMPARE_CHANGED
				? row->md5[COMPARE_SOURCE]
				: row->md5[side];

		if (md5)
			row_sum_add(&tally->sums[side], md5);
	}
	if (!differs)
		return 0;
	tally->mismatches++;
	if (json_array_size(tally->shown) >= TALLY_SHOWN_MAX)
		return 0;
	return show(tally, row, err);
}

int tally_add_object(struct tally *tally, const char *object, const char *what,
		     const char *text, struct error *err)
{
	json_t *shown;

	tally->mismatches++;
	if (json_array_size(tally->shown) >= TALLY_SHOWN_MAX)
		return 0;
	shown = json_pack("{s:s, s:s, s:s}", "key", object, "difference", what,
			  "detail", text);
	return json_array_append_new(tally->shown, shown)
		       ? error_memory(err, "a verification")
		       : 0;
}

const char *tally_status(const struct tally *tally, const char *why)
{
	if (why)
		return "PARTIAL";
	if (tally->mismatches && tally->kind != TALLY_CHOSEN)
		return "FAILED";
	return "PASSED";
}

char *tally_details(const struct tally *tally, const char *why)
{
	bool shown_all = tally->mismatches <= TALLY_SHOWN_MAX;
	json_t *root =
		json_pack("{s:s, s:O, s:b, s:I}", "scope", kinds[tally->kind],
			  "mismatches", tally->shown, "all_shown", shown_all,
			  "repaired", (json_int_t)tally->repaired);
	char *text;

	if (tally->proves)
		root = json_put(root, "files",
				json_integer((json_int_t)tally->objects));
	if (why)
		root = json_put(root, "reason", json_string(why));
	if (tally->condition)
		root = json_put(root, "where_condition",
				json_string(tally->condition));
	if (tally->truncated)
		root = json_put(root, "not_looked_at",
				json_string("rows beyond twice "
					    "verification_row_count"));
	text = json_format(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static void describe_objects(const struct tally *tally, char *out, size_t size)
{
	unsigned long long objects = tally->objects;

	if (!tally->mismatches)
		snprintf(out, size,
			 "%llu files looked at, with %llu rows that were read, "
			 "all as they were written",
			 objects, (unsigned long long)tally->compared);
	else
		snprintf(out, size, "%llu of %llu files are wrong",
			 (unsigned long long)tally->mismatches, objects);
}

void tally_describe(const struct tally *tally, char *out, size_t size)
{
	if (tally->proves) {
		describe_objects(tally, out, size);
		return;
	}
	if (tally->kind == TALLY_CHOSEN)
		snprintf(out, size, "%llu rows %s",
			 (unsigned long long)(tally->dry_run ? tally->mismatches
							     : tally->repaired),
			 tally->dry_run ? "would be copied again"
					: "copied again");
	else if (!tally->mismatches)
		snprintf(out, size, "%llu rows compared, all the same",
			 (unsigned long long)tally->compared);
	else if (!tally->repair || tally->dry_run)
		snprintf(out, size, "%llu of %llu rows differ%s",
			 (unsigned long long)tally->mismatches,
			 (unsigned long long)tally->compared,
			 tally->repair ? ", and would be repaired" : "");
	else
		snprintf(out, size,
			 "%llu of %llu rows differed, %llu were repaired",
			 (unsigned long long)tally->mismatches,
			 (unsigned long long)tally->compared,
			 (unsigned long long)tally->repaired);
}

void tally_add_examples(const struct tally *tally, char *out, size_t size)
{
	for (size_t i = 0; i < 3 && i < json_array_size(tally->shown); i++) {
		const json_t *row = json_array_get(tally->shown, i);

		text_append(out, size, i ? ", " : ": ");
		text_append(out, size,
			    json_string_value(json_object_get(row, "key")));
	}
	if (json_array_size(tally->shown) > 3)
		text_append(out, size, ", …");
}
