#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"

/*
 * What every fuzzer of this folder starts with. A fuzzer is a libFuzzer
 * program: fuzz_NAME.c, first files to try in corpus/NAME/, words in
 * dict/NAME where the input is text. The comment at its top says which
 * property it checks; that nothing crashes, leaks, or does what
 * AddressSanitizer and UndefinedBehaviorSanitizer refuse goes without saying.
 */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, which makes libFuzzer keep the input, if it is not so. */
#define HOLDS(condition)                                                \
	do {                                                            \
		if (!(condition))                                       \
			property_fails(#condition, __FILE__, __LINE__); \
	} while (0)

void property_fails(const char *property, const char *file, int line)
	__attribute__((noreturn));

/* What is left of the bytes to try; empty, it gives zeros. */
struct input {
	const uint8_t *data;
	size_t len;
};

unsigned take_byte(struct input *in);
uint64_t take_number(struct input *in, size_t bytes); /* big-endian */
/* 0 to limit - 1. */
size_t take_below(struct input *in, size_t limit);

/*
 * Up to the next NUL, at most `max` bytes, NUL-terminated and exactly as large
 * as that, so that a reader beyond the end is seen. To be freed.
 */
char *take_text(struct input *in, size_t max);

/* Likewise as people would have written it: valid UTF-8. */
char *take_utf8(struct input *in, size_t max);

/* As many bytes as there are, at most `len`; to be freed, never NULL. */
unsigned char *take_bytes(struct input *in, size_t len, size_t *got);

/* What every error has to be: of a kind, with words, in UTF-8. */
void check_error(const struct error *err);

/*
 * A private folder, which TMPDIR names from the first call on; removed when
 * the process ends well.
 */
const char *private_folder(void);

#endif
