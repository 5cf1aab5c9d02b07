/*
 * The private freetds.conf.
 *
 * Sections are only ever added, and their text is kept in memory, so that the
 * file can be written whole each time. FreeTDS reads it at every login without
 * a lock, hence the rename: a reader sees the old file or the new one.
 *
 * Giving each connection a file of its own was rejected because FreeTDS keeps
 * the path in one process-wide variable.
 */
#include "tds/conf.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/platform.h"
#include "base/strbuf.h"

#define LINE_BYTES_MAX 200 /* FreeTDS reads lines of 255 */

static struct {
	pthread_mutex_t lock; /* guards all below */
	char dir[512];
	char path[600];
	char temp[600];
	struct section {
		struct section *next;
		int number;
		char *body;
	} * sections;
} conf = {.lock = PTHREAD_MUTEX_INITIALIZER};

/*
 * These environment variables override the file or make FreeTDS write logs
 * that contain passwords.
 */
static const char *const overriding[] = {
	"TDSVER",  "TDSPORT",	    "TDSHOST", "TDSQUERY",
	"TDSDUMP", "TDSDUMPCONFIG", "DSQUERY", "FREETDSCONF",
};

int tds_conf_init(struct error *err)
{
	for (size_t i = 0; i < sizeof(overriding) / sizeof(*overriding); i++)
		platform_unsetenv(overriding[i]);
	if (platform_private_dir(conf.dir, sizeof(conf.dir), err) < 0)
		return -1;
	snprintf(conf.path, sizeof(conf.path), "%s/freetds.conf", conf.dir);
	snprintf(conf.temp, sizeof(conf.temp), "%s/freetds.new", conf.dir);
	return platform_write_file(conf.path, "", 0, err);
}

void tds_conf_release(void)
{
	struct section *next;

	for (struct section *s = conf.sections; s; s = next) {
		next = s->next;
		free(s->body);
		free(s);
	}
	conf.sections = NULL;
	if (conf.dir[0])
		platform_remove_dir(conf.dir);
	conf.dir[0] = '\0';
}

const char *tds_conf_path(void)
{
	return conf.path;
}

static void add_tls(struct strbuf *body, const struct tds_login *login)
{
	switch (login->encryption) {
	case TDS_ENCRYPT_OFF:
		strbuf_addstr(body, "\tencryption = off\n");
		return;
	case TDS_ENCRYPT_REQUEST:
		strbuf_addstr(body, "\tencryption = request\n");
		break;
	case TDS_ENCRYPT_REQUIRE:
		strbuf_addstr(body, "\tencryption = require\n");
		break;
	}
	if (login->ca_file)
		strbuf_addf(body, "\tca file = %s\n", login->ca_file);
	else if (login->encryption == TDS_ENCRYPT_REQUIRE &&
		 !login->trust_certificate)
		strbuf_addstr(body, "\tca file = system\n");
	strbuf_addf(body, "\tcheck certificate hostname = %s\n",
		    login->trust_certificate ? "no" : "yes");
}

/*
 * FreeTDS ends a value at ; and #, leaves out blanks around it and makes one
 * of several. Empty, it would mean that no certificate is checked.
 */
static bool reads_back(const char *value)
{
	bool blank = true; /* is what came before */

	for (; *value; value++) {
		if (strchr(";#", *value) || iscntrl((unsigned char)*value) ||
		    (blank && *value == ' '))
			return false;
		blank = *value == ' ';
	}
	return !blank;
}

static int make_body(const struct tds_login *login, struct strbuf *body,
		     struct error *err)
{
	if (strlen(login->host) > LINE_BYTES_MAX ||
	    (login->instance && strlen(login->instance) > LINE_BYTES_MAX))
		return error_set(err, ERROR_CONFIG,
				 "the server's name is too long");
	if (login->ca_file && (strlen(login->ca_file) > LINE_BYTES_MAX ||
			       !reads_back(login->ca_file)))
		return error_set(err, ERROR_CONFIG,
				 "the path in 'ca file' is longer than %d "
				 "bytes, or has one of ; # and tab in it, or "
				 "blanks in a row or at an end",
				 LINE_BYTES_MAX);
	strbuf_addf(body, "\thost = %s\n", login->host);
	if (login->port || !login->instance)
		strbuf_addf(body, "\tport = %d\n",
			    login->port ? login->port : 1433);
	else
		strbuf_addf(body, "\tinstance = %s\n", login->instance);
	strbuf_addf(body,
		    "\ttds version = 7.4\n"
		    "\tclient charset = UTF-8\n"
		    "\tinitial block size = 16384\n"
		    "\ttext size = 2147483647\n"
		    "\tconnect timeout = %d\n"
		    "\tread-only intent = %s\n",
		    login->login_timeout_s, login->read_only ? "yes" : "no");
	add_tls(body, login);
	return strbuf_check(body, err);
}

static int write_file(struct error *err)
{
	struct strbuf text;
	int ret = -1;

	strbuf_init(&text);
	for (struct section *s = conf.sections; s; s = s->next)
		strbuf_addf(&text, "[dataflow%d]\n%s", s->number, s->body);
	if (strbuf_check(&text, err) < 0 ||
	    platform_write_file(conf.temp, text.data, text.len, err) < 0)
		goto done;
	if (rename(conf.temp, conf.path) < 0) {
		error_errno(err, errno, "cannot rename '%s'", conf.temp);
		goto done;
	}
	ret = 0;
done:
	strbuf_release(&text);
	return ret;
}

/*
 * The lock is held. A daemon that logs in seldom may find that its file was
 * cleaned up as an old one.
 */
static int keep_file(struct error *err)
{
	FILE *file;

	if (platform_keep_private_dir(conf.dir, err) < 0)
		return -1;
	file = fopen(conf.path, "r");
	if (!file)
		return write_file(err);
	fclose(file);
	return 0;
}

/* The lock is held. Takes over the body's string. */
static struct section *add_section(struct strbuf *body, struct error *err)
{
	struct section *section = calloc(1, sizeof(*section));

	if (section)
		section->body = strbuf_detach(body);
	if (!section || !section->body) {
		free(section);
		error_memory(err, "the FreeTDS configuration");
		return NULL;
	}
	section->number = conf.sections ? conf.sections->number + 1 : 1;
	section->next = conf.sections;
	conf.sections = section;
	if (write_file(err) < 0) {
		conf.sections = section->next;
		free(section->body);
		free(section);
		return NULL;
	}
	return section;
}

int tds_conf_section(const struct tds_login *login,
		     char name[TDS_CONF_NAME_MAX], struct error *err)
{
	struct section *section;
	struct strbuf body;
	int ret = -1;

	strbuf_init(&body);
	if (make_body(login, &body, err) < 0)
		goto done;
	pthread_mutex_lock(&conf.lock);
	if (keep_file(err) < 0)
		goto unlock;
	for (section = conf.sections; section; section = section->next)
		if (!strcmp(section->body, body.data))
			break;
	if (!section)
		section = add_section(&body, err);
	if (section) {
		snprintf(name, TDS_CONF_NAME_MAX, "dataflow%d",
			 section->number);
		ret = 0;
	}
unlock:
	pthread_mutex_unlock(&conf.lock);
done:
	strbuf_release(&body);
	return ret;
}
