/*
 * A disk that fails under the embedded control store: each thing that SQLite
 * asks of the operating system fails in turn, once or from then on, as it does
 * when the disk is full, broken or read only, and when somebody else has the
 * file. What fails says so and may be repeated, as the reporter does; what
 * succeeds has been done; the file stays in order.
 */
#include "unit/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "unit/deeds.h"
#include "unit/rows.h"
#include "unit/store.h"

static struct control_spec spec;
static struct control *control;

/* ------------------------------------------------------------------ the disk */

enum fault { FULL, WRITE_ERROR, READ_ERROR, LOCKED, READ_ONLY, FAULTS };

static const char *const names[] = {"a full disk", "an error of writing",
				    "an error of reading", "a locked file",
				    "a file that is read only"};

static struct {
	enum fault fault;
	bool on, lasts;
	unsigned long calls, fail_at;
} disk;

/* Does this call fail? */
static bool fails(enum fault fault)
{
	if (!disk.on || fault != disk.fault)
		return false;
	disk.calls++;
	return disk.lasts ? disk.calls >= disk.fail_at
			  : disk.calls == disk.fail_at;
}

static ssize_t disk_pwrite(int fd, const void *data, size_t len, off_t at)
{
	if (fails(FULL)) {
		errno = ENOSPC;
		return -1;
	}
	if (fails(WRITE_ERROR)) {
		errno = EIO;
		return -1;
	}
	return pwrite(fd, data, len, at);
}

static ssize_t disk_pread(int fd, void *data, size_t len, off_t at)
{
	if (fails(READ_ERROR)) {
		errno = EIO;
		return -1;
	}
	return pread(fd, data, len, at);
}

static int disk_fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	if (command == F_SETLK && ((struct flock *)arg)->l_type != F_UNLCK &&
	    fails(LOCKED)) {
		errno = EAGAIN;
		return -1;
	}
	return fcntl(fd, command, arg);
}

static int disk_open(const char *path, int flags, int mode)
{
	if ((flags & O_ACCMODE) == O_RDWR && fails(READ_ONLY)) {
		errno = EROFS;
		return -1;
	}
	return open(path, flags, mode);
}

static void install_disk(void)
{
	static const struct {
		const char *name;
		sqlite3_syscall_ptr call;
	} calls[] = {
		{"open", (sqlite3_syscall_ptr)disk_open},
		{"fcntl", (sqlite3_syscall_ptr)disk_fcntl},
		{"pread", (sqlite3_syscall_ptr)disk_pread},
		{"pread64", (sqlite3_syscall_ptr)disk_pread},
		{"pwrite", (sqlite3_syscall_ptr)disk_pwrite},
		{"pwrite64", (sqlite3_syscall_ptr)disk_pwrite},
	};
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	for (size_t i = 0; i < COUNT_OF(calls); i++)
		if (vfs->xGetSystemCall(vfs, calls[i].name))
			assert_int_equal(vfs->xSetSystemCall(vfs, calls[i].name,
							     calls[i].call),
					 SQLITE_OK);
}

/* -------------------------------------------------------------------- deeds */

static void make_store(void)
{
	static int number;
	char name[32];

	control_close(control);
	snprintf(name, sizeof(name), "statement%d.db", number++);
	spec = store_make(name);
	spec.create = false;
	store_add_mapping(spec.file);
	deeds_prepare(spec.file);
	control = store_open(&spec);
}

static int setup(void **state)
{
	if (setup_folder(state) < 0)
		return -1;
	make_store();
	return 0;
}

static int teardown(void **state)
{
	disk.on = false;
	control_close(control);
	control = NULL;
	return teardown_folder(state);
}

static void check(const struct deed *deed)
{
	if (deed->query)
		assert_query(spec.file, deed->query, deed->want);
}

/* As the reporter does it: close, open, and the same again. */
static void repeat(const struct deed *deed)
{
	struct error err = ERROR_INIT;

	control_close(control);
	control = store_open(&spec);
	MUST(deed->act(control, &err));
	check(deed);
}

/* False when it makes fewer calls than that. */
static bool try_deed(const struct deed *deed, unsigned long n)
{
	struct error err = ERROR_INIT;
	int rc;

	disk.calls = 0;
	disk.fail_at = n;
	disk.on = true;
	rc = deed->act(control, &err);
	disk.on = false;
	if (rc == 0) {
		check(deed);
	} else {
		if (disk.calls < n)
			fail_msg("%s: %s", deed->name, err.message);
		if (!err.retryable || !err.message[0])
			fail_msg("%s, %s at call %lu: not to be repeated: %s",
				 deed->name, names[disk.fault], n, err.message);
		repeat(deed);
	}
	return disk.calls >= n;
}

static int open_anew(struct control *unused, struct error *err)
{
	enum control_trouble trouble;
	struct control *opened;

	(void)unused;
	if (control_open(&spec, NULL, &opened, &trouble, err) < 0) {
		assert_int_equal(trouble, CONTROL_UNREACHABLE);
		return -1;
	}
	control_close(opened);
	return 0;
}

static const struct deed opening = {"opening", open_anew, NULL, NULL};

/* What is written goes into the log, and only now and then into the file. */
static void checkpoint(void)
{
	store_exec(spec.file, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void break_deed(const struct deed *deed, enum fault fault, bool lasts,
		       bool cold)
{
	unsigned long n = 0;
	bool more = true;

	disk.fault = fault;
	disk.lasts = lasts;
	while (more && n < 200) {
		if (cold) {
			/* Nothing in a cache: everything has to be read. */
			control_close(control);
			control = store_open(&spec);
		}
		more = try_deed(deed, ++n);
	}
	assert_false(more);
}

static void break_all(enum fault fault, bool lasts)
{
	make_store();
	for (size_t i = 0; i < deed_count; i++) {
		break_deed(&deeds[i], fault, lasts, fault == READ_ERROR);
		if (i % 8 == 0)
			checkpoint();
	}
	break_deed(&opening, fault, lasts, false);
	assert_query(spec.file, "PRAGMA integrity_check", "ok\n");
	assert_query(spec.file, "PRAGMA foreign_key_check", "");
}

static void test_full_disk(void **state)
{
	(void)state;
	break_all(FULL, false);
	break_all(FULL, true);
}

static void test_write_errors(void **state)
{
	(void)state;
	break_all(WRITE_ERROR, false);
	break_all(WRITE_ERROR, true);
}

static void test_read_errors(void **state)
{
	(void)state;
	break_all(READ_ERROR, false);
	break_all(READ_ERROR, true);
}

/* Somebody else has it for a moment: nobody notices. */
static void test_locked_file(void **state)
{
	(void)state;
	break_all(LOCKED, false);
}

/* It opens, as SQLite reads what it cannot write; then each says why not. */
static void test_read_only(void **state)
{
	struct error err = ERROR_INIT;
	size_t refused = 0;

	(void)state;
	control_close(control);
	disk.fault = READ_ONLY;
	disk.fail_at = 1;
	disk.lasts = disk.on = true;
	control = NULL;
	if (open_anew(NULL, &err) < 0) {
		assert_true(err.retryable);
		disk.on = false;
		control = store_open(&spec);
		return;
	}
	control = store_open(&spec);
	for (size_t i = 0; i < deed_count; i++) {
		error_clear(&err);
		if (deeds[i].act(control, &err) == 0)
			continue;
		assert_true(err.retryable);
		assert_int_equal(err.kind, ERROR_CONNECTION);
		assert_holds(err.message, "readonly");
		refused++;
	}
	disk.on = false;
	assert_true(refused > 20);
	for (size_t i = 0; i < deed_count; i++)
		repeat(&deeds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_full_disk),	TEST(test_write_errors),
		TEST(test_read_errors), TEST(test_locked_file),
		TEST(test_read_only),
	};

	install_disk();
	alarm(280);
	return cmocka_run_group_tests_name("every statement", tests, NULL,
					   NULL);
}
