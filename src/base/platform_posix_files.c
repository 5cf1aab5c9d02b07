/*
 * A file is on disk once fsync() of it and of its folder has come back. The
 * error of an fsync() is told once only, whoever asks again is told that all is
 * well: so a file whose fsync() failed is given up, never tried again.
 */
#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LOCK_POLL_MS 10

#define FILE_MODE   (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)
#define FOLDER_MODE (FILE_MODE | S_IXUSR | S_IXGRP | S_IXOTH)

/* Of what a network file system says, this may be over a moment later. */
static bool may_be_over(int errnum)
{
	return errnum == EIO || errnum == ESTALE || errnum == ETIMEDOUT ||
	       errnum == EINTR || errnum == EAGAIN;
}

static int fail(struct error *err, int errnum, const char *what,
		const char *path)
{
	error_errno(err, errnum, "cannot %s '%s'", what, path);
	if (errnum == EACCES || errnum == EPERM || errnum == EROFS)
		err->kind = ERROR_PERMISSION;
	err->retryable = may_be_over(errnum);
	return -1;
}

/* ------------------------------------------------------------------ folders */

static int sync_folder(const char *path, struct error *err)
{
	int handle = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = 0;

	if (handle < 0)
		return fail(err, errno, "open folder", path);
	/* Some file systems have no such call for folders: they need none. */
	if (fsync(handle) < 0 && errno != EINVAL)
		ret = fail(err, errno, "write folder", path);
	close(handle);
	return ret;
}

/* The folder that a path's last part is in. */
static void folder_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!slash)
		snprintf(out, PATH_MAX, ".");
	else
		snprintf(out, PATH_MAX, "%.*s", len ? (int)len : 1, path);
}

static int sync_folder_of(const char *path, struct error *err)
{
	char folder[PATH_MAX];

	folder_of(path, folder);
	return sync_folder(folder, err);
}

static int make_one(const char *path, struct error *err)
{
	if (mkdir(path, FOLDER_MODE) < 0)
		return errno == EEXIST ? 0
				       : fail(err, errno, "make folder", path);
	return sync_folder_of(path, err);
}

int files_make_folder(const char *base, const char *path, struct error *err)
{
	size_t at = strlen(base);
	char part[PATH_MAX];

	if (strlen(path) >= sizeof(part))
		return fail(err, ENAMETOOLONG, "make folder", path);
	/* As a rule it is there. */
	if (access(path, F_OK) == 0)
		return 0;
	for (;;) {
		at += strspn(path + at, "/");
		if (!path[at])
			return 0;
		at += strcspn(path + at, "/");
		snprintf(part, sizeof(part), "%.*s", (int)at, path);
		if (make_one(part, err) < 0)
			return -1;
	}
}

int files_exists(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR
		       ? 0
		       : fail(err, errno, "look at", path);
}

int files_check_folder(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return fail(err, errno, "look at folder", path);
	if (!S_ISDIR(st.st_mode))
		return fail(err, ENOTDIR, "write into", path);
	if (access(path, W_OK | X_OK) < 0)
		return fail(err, errno, "write into folder", path);
	return 0;
}

void files_remove_empty(const char *path)
{
	(void)!rmdir(path);
}

int files_room(const char *path, uint64_t *bytes, struct error *err)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return fail(err, errno, "look at", path);
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

static int tell_entry(DIR *dir, const char *name,
		      int (*take)(void *arg, const struct files_entry *entry,
				  struct error *err),
		      void *arg, struct error *err)
{
	struct files_entry entry = {.name = name};
	struct stat st;

	/* It may be gone by now. */
	if (!strcmp(name, ".") || !strcmp(name, "..") ||
	    fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	entry.is_folder = S_ISDIR(st.st_mode);
	entry.size = (uint64_t)st.st_size;
	if (!entry.is_folder && !S_ISREG(st.st_mode))
		return 0;
	return take(arg, &entry, err);
}

int files_list(const char *path,
	       int (*take)(void *arg, const struct files_entry *entry,
			   struct error *err),
	       void *arg, struct error *err)
{
	DIR *dir = opendir(path);
	struct dirent *found;
	int ret = 0;

	if (!dir)
		return errno == ENOENT ? 0
				       : fail(err, errno, "list folder", path);
	for (errno = 0; ret == 0 && (found = readdir(dir)); errno = 0)
		ret = tell_entry(dir, found->d_name, take, arg, err);
	if (ret == 0 && errno)
		ret = fail(err, errno, "list folder", path);
	closedir(dir);
	return ret;
}

/* -------------------------------------------------------------------- files */

int files_read(const char *path, struct strbuf *out, struct error *err)
{
	int handle = open(path, O_RDONLY | O_CLOEXEC);
	char buffer[16384];
	ssize_t got;
	int ret = 1;

	if (handle < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : fail(err, errno, "open", path);
	do {
		got = read(handle, buffer, sizeof(buffer));
		if (got > 0)
			strbuf_add(out, buffer, (size_t)got);
		else if (got < 0 && errno != EINTR)
			ret = fail(err, errno, "read", path);
	} while (got && ret > 0 && !out->failed);
	close(handle);
	if (ret > 0 && strbuf_check(out, err) < 0)
		ret = error_wrap(err, "'%s'", path);
	return ret;
}

int files_replace(const char *path, const char *beside, const void *data,
		  size_t len, struct error *err)
{
	struct files_writer writer;

	if (files_remove(beside, err) < 0 ||
	    files_create(&writer, beside, err) < 0)
		return -1;
	if (files_write(&writer, data, len, err) < 0) {
		files_abandon(&writer);
		goto failed;
	}
	if (files_finish(&writer, err) < 0)
		goto failed;
	if (rename(beside, path) == 0)
		return sync_folder_of(path, err);
	fail(err, errno, "replace", path);
failed:
	(void)!unlink(beside);
	return -1;
}

int files_rename(const char *from, const char *to, struct error *err)
{
	char old[PATH_MAX], new[PATH_MAX];

	if (rename(from, to) < 0) {
		/* Or is it the folder that is not there? */
		if (errno == ENOENT && access(from, F_OK) < 0)
			return 0;
		return fail(err, errno, "make", to);
	}
	folder_of(from, old);
	folder_of(to, new);
	if (sync_folder(new, err) < 0)
		return -1;
	if (strcmp(old, new) != 0 && sync_folder(old, err) < 0)
		return -1;
	return 1;
}

int files_remove(const char *path, struct error *err)
{
	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return fail(err, errno, "remove", path);
	return 0;
}

/* ------------------------------------------------------------------ writing */

int files_create(struct files_writer *writer, const char *path,
		 struct error *err)
{
	writer->path = path;
	writer->handle =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	return writer->handle < 0 ? fail(err, errno, "make", path) : 0;
}

int files_write(struct files_writer *writer, const void *data, size_t len,
		struct error *err)
{
	const char *from = data;
	ssize_t wrote;

	while (len) {
		wrote = write(writer->handle, from, len);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return fail(err, errno, "write", writer->path);
		from += wrote;
		len -= (size_t)wrote;
	}
	return 0;
}

int files_finish(struct files_writer *writer, struct error *err)
{
	int handle = writer->handle;
	int ret = 0;

	if (fsync(handle) < 0)
		ret = fail(err, errno, "write", writer->path);
	writer->handle = -1;
	if (close(handle) < 0 && ret == 0)
		ret = fail(err, errno, "write", writer->path);
	return ret < 0 ? -1 : sync_folder_of(writer->path, err);
}

void files_abandon(struct files_writer *writer)
{
	if (writer->handle >= 0)
		close(writer->handle);
	writer->handle = -1;
}

/* ------------------------------------------------------------------ reading */

struct open_file {
	struct byte_source base;
	int handle;
	const char *path;
};

static int read_at(struct byte_source *source, uint64_t offset, void *data,
		   size_t len, struct error *err)
{
	struct open_file *file = (struct open_file *)source;
	char *to = data;
	ssize_t got;

	while (len) {
		got = pread(file->handle, to, len, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(err, errno, "read", file->path);
		if (!got)
			return error_set(err, ERROR_DATA,
					 "'%s' became shorter while it was "
					 "read",
					 file->path);
		to += got;
		offset += (uint64_t)got;
		len -= (size_t)got;
	}
	return 0;
}

int files_open(struct byte_source **out, const char *path, struct error *err)
{
	struct open_file *file = calloc(1, sizeof(*file));
	struct stat st;
	int ret = -1;

	if (!file)
		return error_memory(err, "a file");
	file->path = path;
	file->base.read_at = read_at;
	file->handle = open(path, O_RDONLY | O_CLOEXEC);
	if (file->handle < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		ret = 0;
	} else if (file->handle < 0 || fstat(file->handle, &st) < 0) {
		fail(err, errno, "open", path);
	} else {
		file->base.size = (uint64_t)st.st_size;
		*out = &file->base;
		return 1;
	}
	files_close(&file->base);
	return ret;
}

void files_close(struct byte_source *source)
{
	struct open_file *file = (struct open_file *)source;

	if (!file)
		return;
	if (file->handle >= 0)
		close(file->handle);
	free(file);
}

/* -------------------------------------------------------------------- locks */

int files_lock(struct files_lock *lock, const char *path, int64_t ms,
	       struct cancel *cancel, struct error *err)
{
	int64_t deadline = clock_ms() + ms;

	lock->handle = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
	if (lock->handle < 0)
		return fail(err, errno, "open", path);
	while (flock(lock->handle, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			fail(err, errno, "lock", path);
		} else if (clock_ms() > deadline) {
			error_set(err, ERROR_SYSTEM,
				  "another process has locked '%s' for %lld ms "
				  "by now; end it if it stands still",
				  path, (long long)ms);
			err->retryable = true;
		} else if (!cancel || cancel_check_now(cancel, err) == 0) {
			struct timespec wait = {
				.tv_nsec = LOCK_POLL_MS * 1000000L,
			};

			nanosleep(&wait, NULL);
			continue;
		}
		files_unlock(lock);
		return -1;
	}
	return 0;
}

void files_unlock(struct files_lock *lock)
{
	if (lock->handle >= 0)
		close(lock->handle);
	lock->handle = -1;
}
