#include "base/platform.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static sigset_t handled;

void platform_signals_init(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	/* Those who write are told, and go on: a peer that hung up, a file
	 * that may not grow. */
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	sigemptyset(&handled);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &handled, NULL);
}

/*
 * Left alone, glibc takes ever larger pieces from its heaps, of which it makes
 * eight a core.
 */
void platform_memory_init(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 512 * 1024);
	mallopt(M_TRIM_THRESHOLD, 512 * 1024);
	mallopt(M_ARENA_MAX, 4);
#endif
}

enum platform_event platform_wait(int64_t ms)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};

	switch (sigtimedwait(&handled, NULL, &ts)) {
	case SIGTERM:
	case SIGINT:
		return PLATFORM_STOP;
	case SIGHUP:
		return PLATFORM_RELOAD;
	default:
		return PLATFORM_TIMEOUT;
	}
}

/* The sd_notify protocol: one datagram to the socket that systemd names. */
void platform_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (!path || strlen(path) >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(path));
	if (*path == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return;
	/* Nobody to tell is no reason to fail. */
	(void)!sendto(fd, state, strlen(state), 0, (struct sockaddr *)&addr,
		      len);
	close(fd);
}

bool platform_nobody_reads(FILE *file)
{
	struct pollfd end = {.fd = fileno(file)};

	return poll(&end, 1, 0) > 0 && (end.revents & POLLERR);
}

int platform_private_dir(char *path, size_t size, struct error *err)
{
	const char *base = getenv("TMPDIR");

	if (!base || !*base)
		base = "/tmp";
	if ((size_t)snprintf(path, size, "%s/dbaops-dataflow-XXXXXX", base) >=
	    size)
		return error_set(err, ERROR_SYSTEM,
				 "the path in TMPDIR is too long");
	if (!mkdtemp(path))
		return error_errno(err, errno, "cannot make directory '%s'",
				   path);
	return 0;
}

int platform_keep_private_dir(const char *path, struct error *err)
{
	struct stat info;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno != EEXIST || lstat(path, &info) < 0)
		return error_errno(err, errno, "cannot make directory '%s'",
				   path);
	if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() ||
	    (info.st_mode & 077))
		return error_set(err, ERROR_SYSTEM,
				 "'%s' was removed, and made anew by somebody "
				 "else; restart the daemon, with TMPDIR in a "
				 "folder of its own",
				 path);
	return 0;
}

int platform_temp_file(FILE **out, struct error *err)
{
	const char *base = getenv("TMPDIR");
	char path[PATH_MAX];
	int fd;

	if (!base || !*base)
		base = "/tmp";
	if ((size_t)snprintf(path, sizeof(path), "%s/dbaops-dataflow-XXXXXX",
			     base) >= sizeof(path))
		return error_set(err, ERROR_SYSTEM,
				 "the path in TMPDIR is too long");
	fd = mkstemp(path);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a file in '%s'",
				   base);
	unlink(path);
	*out = fdopen(fd, "w+b");
	if (!*out) {
		close(fd);
		return error_memory(err, "a file");
	}
	setvbuf(*out, NULL, _IONBF, 0);
	return 0;
}

void platform_remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

static int write_all(int fd, const char *data, size_t len)
{
	ssize_t wrote;

	while (len > 0) {
		wrote = write(fd, data, len);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -1;
		data += wrote;
		len -= (size_t)wrote;
	}
	return 0;
}

int platform_write_file(const char *path, const char *data, size_t len,
			struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		      S_IRUSR | S_IWUSR);

	if (fd < 0)
		return error_errno(err, errno, "cannot write '%s'", path);
	if (write_all(fd, data, len) < 0) {
		error_errno(err, errno, "cannot write '%s'", path);
		close(fd);
		return -1;
	}
	if (close(fd) < 0)
		return error_errno(err, errno, "cannot write '%s'", path);
	return 0;
}

int platform_create_private(const char *path, const char *data, size_t len,
			    struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		      S_IRUSR | S_IWUSR);
	bool done;

	if (fd < 0)
		return error_errno(err, errno, "cannot make file '%s'", path);
	done = write_all(fd, data, len) == 0 && fsync(fd) == 0;
	if (!done)
		error_errno(err, errno, "cannot write file '%s'", path);
	close(fd);
	if (!done)
		unlink(path);
	return done ? 0 : -1;
}

/*
 * What systemd hands over by LoadCredential= belongs to root, in a folder that
 * only the service can enter. It lets the service in by an access list, which
 * shows as a right of the group.
 */
static bool is_credential(const char *path, const struct stat *st)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t len = folder ? strlen(folder) : 0;

	return len && !strncmp(path, folder, len) && path[len] == '/' &&
	       !strchr(path + len + 1, '/') && st->st_uid == 0;
}

static int check_private(const char *path, const struct stat *st,
			 struct error *err)
{
	mode_t others = S_IRWXG | S_IRWXO;

	if (!S_ISREG(st->st_mode))
		return error_set(err, ERROR_CONFIG,
				 "'%s' is no regular file; name a file", path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return error_set(err, ERROR_CONFIG,
				 "file '%s' belongs to user %lu, neither to "
				 "root nor to user %lu, who runs this; chown "
				 "%lu '%s'",
				 path, (unsigned long)st->st_uid,
				 (unsigned long)geteuid(),
				 (unsigned long)geteuid(), path);
	if (is_credential(path, st))
		others &= ~(mode_t)S_IRGRP;
	if (st->st_mode & others)
		return error_set(err, ERROR_CONFIG,
				 "file '%s' is not for its owner alone (mode "
				 "%03o); chmod 600 '%s'",
				 path, (unsigned)(st->st_mode & 0777), path);
	return 0;
}

static int read_all(int fd, const char *path, char *out, size_t size,
		    struct error *err)
{
	size_t len = 0;
	ssize_t got;

	do {
		got = read(fd, out + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, errno, "cannot read file '%s'",
					   path);
		len += (size_t)got;
	} while (got != 0 && len < size);
	if (len == size)
		return error_set(err, ERROR_CONFIG,
				 "file '%s' is longer than %zu bytes", path,
				 size - 1);
	out[len] = '\0';
	return (int)len;
}

int platform_read_private(const char *path, char *out, size_t size,
			  struct error *err)
{
	/* A FIFO would have us wait for somebody who writes. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int ret = -1;

	if (fd < 0)
		return error_errno(err, errno, "cannot open file '%s'", path);
	if (fstat(fd, &st) < 0)
		error_errno(err, errno, "cannot look at file '%s'", path);
	else if (check_private(path, &st, err) == 0)
		ret = read_all(fd, path, out, size, err);
	close(fd);
	return ret;
}

bool platform_is_exposed(FILE *file)
{
	struct stat st;

	return fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_mode & S_IROTH;
}

void platform_make_private_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		      S_IRUSR | S_IWUSR);

	if (fd >= 0)
		close(fd);
}

void platform_check_host(const char *host, struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(host, NULL, &hints, &found);

	if (rc)
		error_set(err, ERROR_CONNECTION, "unknown host '%s': %s", host,
			  gai_strerror(rc));
	else
		freeaddrinfo(found);
}

#define BACKLOG 64

static int listen_on(const struct addrinfo *where, int *out)
{
	int on = 1, fd, saved;

	fd = socket(where->ai_family, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	/* A port that was ours a moment ago may be so again. */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, where->ai_addr, where->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
		*out = fd;
		return 0;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int platform_listen(const char *host, int port, int *socket, struct error *err)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *found = NULL;
	char service[16];
	int rc;

	snprintf(service, sizeof(service), "%d", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc)
		return error_set(err, ERROR_CONFIG, "unknown host '%s': %s",
				 host, gai_strerror(rc));
	rc = listen_on(found, socket);
	if (rc < 0)
		error_errno(err, errno, "cannot listen on port %d of '%s'",
			    port, host);
	freeaddrinfo(found);
	return rc;
}

void platform_close_socket(int socket)
{
	close(socket);
}

bool platform_wait_socket(int socket, bool write, int ms)
{
	struct pollfd wanted = {.fd = socket, .events = POLLIN};

	if (write)
		wanted.events |= POLLOUT;
	return poll(&wanted, 1, ms) > 0;
}

void platform_cut_off(int socket)
{
	shutdown(socket, SHUT_RDWR);
}

/* Both ends of a pair, which neither wait nor outlive an exec(). */
static int make_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		fcntl(ends[i], F_SETFD, FD_CLOEXEC);
		fcntl(ends[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

int platform_begin_detour(struct platform_detour *detour, int socket,
			  struct error *err)
{
	int ends[2];

	detour->socket = socket;
	detour->connection = fcntl(socket, F_DUPFD_CLOEXEC, 0);
	if (detour->connection < 0)
		return error_errno(err, errno, "cannot copy a socket");
	if (make_pair(ends) < 0) {
		error_errno(err, errno, "cannot make a pair of sockets");
		close(detour->connection);
		return -1;
	}
	detour->outlet = ends[1];
	if (dup2(ends[0], socket) < 0) {
		error_errno(err, errno, "cannot replace a socket");
		close(ends[0]);
		platform_drop_detour(detour);
		return -1;
	}
	close(ends[0]);
	return 0;
}

/*
 * Once the connection is back nobody can write to the pair any more: what is
 * read from it ends.
 */
int platform_end_detour(struct platform_detour *detour, void *out, size_t size,
			struct error *err)
{
	size_t len = 0;
	ssize_t got = -1;

	if (dup2(detour->connection, detour->socket) < 0) {
		error_errno(err, errno, "cannot put a socket back");
		platform_drop_detour(detour);
		return -1;
	}
	while (len < size &&
	       (got = read(detour->outlet, (char *)out + len, size - len)) > 0)
		len += (size_t)got;
	platform_drop_detour(detour);
	if (got != 0)
		return error_set(err, ERROR_SYSTEM,
				 "more than %zu bytes were sent", size);
	return (int)len;
}

void platform_drop_detour(struct platform_detour *detour)
{
	close(detour->connection);
	close(detour->outlet);
}

/* FreeTDS holds back on Linux what does not fill a packet (TCP_CORK). */
int platform_send(int socket, const void *data, size_t len, struct error *err)
{
	ssize_t sent = send(socket, data, len, MSG_NOSIGNAL);

	if (sent < 0)
		return error_errno(err, errno, "cannot send");
	if ((size_t)sent < len)
		return error_set(err, ERROR_SYSTEM,
				 "a socket has no room for %zu bytes", len);
#ifdef TCP_CORK
	setsockopt(socket, IPPROTO_TCP, TCP_CORK, &(int){0}, sizeof(int));
#endif
	return 0;
}

static void host_name(char *host, size_t size)
{
	if (gethostname(host, size) < 0)
		text_copy(host, size, "localhost");
	host[size - 1] = '\0';
}

void platform_identity(char *out, size_t size)
{
	char host[256];

	host_name(host, sizeof(host));
	snprintf(out, size, "%s:%ld:%llx", host, (long)getpid(),
		 (unsigned long long)clock_utc_us());
}

/* One with our own number is from before we were started. */
bool platform_identity_is_gone(const char *identity)
{
	char host[256];
	size_t len;
	long pid;

	host_name(host, sizeof(host));
	len = strlen(host);
	if (strncmp(identity, host, len) || identity[len] != ':')
		return false;
	pid = strtol(identity + len + 1, NULL, 10);
	if (pid <= 0 || pid > INT_MAX)
		return false;
	return pid == (long)getpid() ||
	       (kill((pid_t)pid, 0) < 0 && errno == ESRCH);
}

void platform_user(char *out, size_t size)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) == 0 &&
	    found && *found->pw_name) {
		text_copy(out, size, found->pw_name);
		text_make_utf8(out);
	} else {
		snprintf(out, size, "uid %lu", (unsigned long)getuid());
	}
}

bool platform_terminal(int *columns, int *lines)
{
	struct winsize window = {.ws_col = 0};

	if (!isatty(STDOUT_FILENO))
		return false;
	*columns = 80;
	*lines = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col &&
	    window.ws_row) {
		*columns = window.ws_col;
		*lines = window.ws_row;
	}
	return true;
}

bool platform_hide_input(bool hide)
{
	struct termios mode;

	if (tcgetattr(STDIN_FILENO, &mode) < 0)
		return false;
	if (hide)
		mode.c_lflag &= ~(tcflag_t)ECHO;
	else
		mode.c_lflag |= ECHO;
	return tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) == 0;
}

bool platform_wait_input(int ms)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&input, 1, ms) > 0;
}

void platform_unsetenv(const char *name)
{
	unsetenv(name);
}
