#include "unit/helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[64];
static int real_stderr = -1;
static FILE *caught;

void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in '%s'", part, text);
}

int setup_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/dataflow-unit-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static void remove_all(const char *path)
{
	char inner[512];
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		unlink(path);
		return;
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		remove_all(inner);
	}
	closedir(dir);
	rmdir(path);
}

int teardown_folder(void **state)
{
	(void)state;
	if (folder[0])
		remove_all(folder);
	folder[0] = '\0';
	return 0;
}

const char *path_of(const char *name)
{
	static _Thread_local char paths[4][160];
	static _Thread_local int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t used = 0, got;

	if (!file)
		fail_msg("cannot read '%s': run from the top folder", path);
	do {
		text = realloc(text, used + 65536 + 1);
		assert_non_null(text);
		got = fread(text + used, 1, 65536, file);
		used += got;
	} while (got);
	fclose(file);
	text[used] = '\0';
	if (len)
		*len = used;
	return text;
}

void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

void pause_ms(int ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

void stderr_catch(void)
{
	caught = tmpfile();
	assert_non_null(caught);
	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	assert_true(real_stderr >= 0);
	assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

char *stderr_caught(void)
{
	long len;
	char *text;

	fflush(stderr);
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	len = (fseek(caught, 0, SEEK_END), ftell(caught));
	text = malloc((size_t)len + 1);
	assert_non_null(text);
	rewind(caught);
	len = (long)fread(text, 1, (size_t)len, caught);
	text[len] = '\0';
	fclose(caught);
	caught = NULL;
	return text;
}

void stderr_release(void)
{
	if (caught)
		free(stderr_caught());
}
