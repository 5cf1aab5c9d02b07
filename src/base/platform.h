#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/*
 * What differs between operating systems. One source file per system, and no
 * other place that knows which one it is.
 */

enum platform_event {
	PLATFORM_TIMEOUT, /* nothing happened */
	PLATFORM_STOP,	  /* SIGTERM, SIGINT, a service stop */
	PLATFORM_RELOAD,  /* SIGHUP */
};

/*
 * Keep signals from the threads started later, so that platform_wait() sees
 * them. Main calls it once, first thing.
 */
void platform_signals_init(void);

/*
 * Have freed memory go back to the system, as far as that can be ordered: what
 * one thread has freed is of no use to others otherwise. Main, first thing.
 */
void platform_memory_init(void);

/* Wait up to `ms` for what the operating system wants. Main thread only. */
enum platform_event platform_wait(int64_t ms);

/* Is it a pipe, or the like, whose other end is closed? */
bool platform_nobody_reads(FILE *file);

/* Tell the service manager, as in "READY=1"; nothing when there is none. */
void platform_notify(const char *state);

/*
 * Make a directory that only this user can read, for this process, and put
 * its path into `path`.
 */
int platform_private_dir(char *path, size_t size, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Make such a directory anew if it is gone: systems clean up what is old in
 * their folders for temporary files. -1 also if it is somebody else's now.
 */
int platform_keep_private_dir(const char *path, struct error *err)
	__attribute__((warn_unused_result));

/* Remove such a directory with the files in it. */
void platform_remove_dir(const char *path);

/*
 * Make a file without a name, below TMPDIR, which is gone once it is closed,
 * however the process ends. For reading and writing, without a buffer.
 */
int platform_temp_file(FILE **out, struct error *err)
	__attribute__((warn_unused_result));

/* Replace a file's content, readable by this user only. */
int platform_write_file(const char *path, const char *data, size_t len,
			struct error *err) __attribute__((warn_unused_result));

/*
 * Make an empty file that only this user can read, unless there is one by that
 * name already. If it cannot be made, whoever opens it will say so.
 */
void platform_make_private_file(const char *path);

/*
 * Make a file that only this user can read, with this content. One by that
 * name is left as it is, and -1. What could not be written whole is removed.
 */
int platform_create_private(const char *path, const char *data, size_t len,
			    struct error *err)
	__attribute__((warn_unused_result));

/*
 * Read a file that only this user may read: all of it, with a NUL behind it,
 * `size` with that; its length without. -1 for one that is longer, that others
 * may read or write, that belongs to neither this user nor root, or that is no
 * regular file; the message ends with what helps.
 */
int platform_read_private(const char *path, char *out, size_t size,
			  struct error *err)
	__attribute__((warn_unused_result));

/* May every user of this machine read an open file? */
bool platform_is_exposed(FILE *file);

/*
 * If a host name has no address, put that into `err` as an ERROR_CONNECTION;
 * otherwise leave `err` alone.
 */
void platform_check_host(const char *host, struct error *err);

/*
 * Listen on a TCP port: `socket` takes connections then. A name is looked up,
 * which may take its time. The error names both.
 */
int platform_listen(const char *host, int port, int *socket, struct error *err)
	__attribute__((warn_unused_result));
void platform_close_socket(int socket);

/*
 * Wait up to `ms` until a socket can be read from, or, with `write`, written
 * to; or is broken, which shows then.
 */
bool platform_wait_socket(int socket, bool write, int ms);

/* End a connection in both directions; its owner still has to close it. */
void platform_cut_off(int socket);

/*
 * See what a library sends on a socket of its own before anybody else does.
 * From the first call on, what is written to `socket` stays in this process,
 * and nothing can be read from it. The second puts the connection back, and
 * what was written into `out`; it returns how many bytes. -1 also for `size`
 * or more, and then `socket` is only good for being closed. Whoever finds that
 * the library has closed it meanwhile calls the third instead: the number may
 * be somebody else's by then. For a little at a time, and no other thread may
 * use the socket.
 */
struct platform_detour {
	int socket;
	int connection; /* where it led to */
	int outlet;	/* where it leads to now */
};

int platform_begin_detour(struct platform_detour *detour, int socket,
			  struct error *err)
	__attribute__((warn_unused_result));
int platform_end_detour(struct platform_detour *detour, void *out, size_t size,
			struct error *err) __attribute__((warn_unused_result));
void platform_drop_detour(struct platform_detour *detour);

/*
 * Send what a socket's buffer has room for, and at once, even if its owner has
 * it put off sending. -1 if that was not all of it.
 */
int platform_send(int socket, const void *data, size_t len, struct error *err)
	__attribute__((warn_unused_result));

/*
 * A name for this machine and process, as "host:pid:start", which no other
 * process has, not even one that gets the same number later.
 */
void platform_identity(char *out, size_t size);

/*
 * Is the process behind such a name gone for sure? Only said of processes of
 * this machine; the names of two machines must differ.
 */
bool platform_identity_is_gone(const char *identity);

/* The name of the user who runs this; a number if it has no name. */
void platform_user(char *out, size_t size);

/* The size of the terminal that stdout leads to; false: it is no terminal. */
bool platform_terminal(int *columns, int *lines);

/*
 * Stop showing what is typed into the terminal that stdin comes from, or show
 * it again; false: it is no terminal.
 */
bool platform_hide_input(bool hide);

/* Wait up to `ms` until something, or the end, can be read from stdin. */
bool platform_wait_input(int ms);

/* Names that are not for a user's eye: remove them from the environment. */
void platform_unsetenv(const char *name);

#endif
