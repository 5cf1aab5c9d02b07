/* Logins and server roles. Passwords are kept as salted SHA-256. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "store/database.h"
#include "store/schema.h"

static void hash_password(const char *password, const unsigned char salt[16],
			  unsigned char out[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	memset(out, 0, 32);
	if (!md)
		return;
	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	EVP_DigestUpdate(md, salt, 16);
	EVP_DigestUpdate(md, password, strlen(password));
	EVP_DigestFinal_ex(md, out, NULL);
	EVP_MD_CTX_free(md);
}

static void copy_blob(unsigned char *out, size_t n, sqlite3_stmt *st, int col)
{
	memset(out, 0, n);
	if ((size_t)sqlite3_column_bytes(st, col) == n)
		memcpy(out, sqlite3_column_blob(st, col), n);
}

/* Lock held. */
static int load(struct registry *r, sqlite3_stmt *st, struct login *out)
{
	int ret = -1;

	(void)r;
	if (sqlite3_step(st) == SQLITE_ROW) {
		const char *db = (const char *)sqlite3_column_text(st, 5);

		memset(out, 0, sizeof(*out));
		out->id = sqlite3_column_int(st, 0);
		text_copy(out->name, sizeof(out->name),
			  (const char *)sqlite3_column_text(st, 1));
		copy_blob(out->hash, sizeof(out->hash), st, 2);
		copy_blob(out->salt, sizeof(out->salt), st, 3);
		out->disabled = sqlite3_column_int(st, 4);
		text_copy(out->default_database, sizeof(out->default_database),
			  db ? db : "master");
		out->sysadmin = sqlite3_column_int(st, 6);
		ret = 0;
	}
	sqlite3_finalize(st);
	return ret;
}

#define LOGIN_COLUMNS                                                       \
	"id, name, hash, salt, disabled, default_database, EXISTS(SELECT 1" \
	" FROM role_members m WHERE m.login = l.id AND m.role = 'sysadmin')"

int login_find(struct registry *r, const char *name, struct login *out)
{
	sqlite3_stmt *st = NULL;
	int ret = -1;

	pthread_mutex_lock(&r->lock);
	if (sqlite3_prepare_v2(r->sql,
			       "SELECT " LOGIN_COLUMNS
			       " FROM logins l WHERE name = ?",
			       -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
		ret = load(r, st, out);
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static int by_number(struct registry *r, const char *sql, int id,
		     struct login *out)
{
	sqlite3_stmt *st = NULL;
	int ret = -1;

	pthread_mutex_lock(&r->lock);
	if (sqlite3_prepare_v2(r->sql, sql, -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_int(st, 1, id);
		ret = load(r, st, out);
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

int login_by_id(struct registry *r, int id, struct login *out)
{
	return by_number(r,
			 "SELECT " LOGIN_COLUMNS " FROM logins l WHERE id = ?",
			 id, out);
}

int login_next(struct registry *r, int after, struct login *out)
{
	return by_number(r,
			 "SELECT " LOGIN_COLUMNS
			 " FROM logins l WHERE id > ? ORDER BY id LIMIT 1",
			 after, out);
}

bool login_check(const struct login *l, const char *password)
{
	unsigned char hash[32];

	hash_password(password, l->salt, hash);
	return CRYPTO_memcmp(hash, l->hash, sizeof(hash)) == 0;
}

/* Lock held. */
static void store_password(struct registry *r, const char *name,
			   const char *password)
{
	unsigned char salt[16], hash[32];
	sqlite3_stmt *st = NULL;

	if (RAND_bytes(salt, sizeof(salt)) != 1)
		memset(salt, 7, sizeof(salt));
	hash_password(password, salt, hash);
	if (sqlite3_prepare_v2(r->sql,
			       "UPDATE logins SET hash = ?, salt = ?"
			       " WHERE name = ?",
			       -1, &st, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_blob(st, 1, hash, sizeof(hash), SQLITE_STATIC);
	sqlite3_bind_blob(st, 2, salt, sizeof(salt), SQLITE_STATIC);
	sqlite3_bind_text(st, 3, name, -1, SQLITE_STATIC);
	sqlite3_step(st);
	sqlite3_finalize(st);
}

int login_create(struct registry *r, const char *name, const char *password,
		 const char *default_database, struct diag *d)
{
	struct login old;
	char *text;

	if (!login_find(r, name, &old))
		return diag_set(d, 15025, name);
	pthread_mutex_lock(&r->lock);
	text = sqlite3_mprintf("INSERT INTO logins VALUES((SELECT"
			       " max(coalesce(max(id), 0) + 1, %d) FROM"
			       " logins), %Q, NULL, NULL, 0, %Q)",
			       strcasecmp(name, "sa") ? 257 : 1, name,
			       default_database ? default_database : "master");
	sqlite3_exec(r->sql, text, NULL, NULL, NULL);
	sqlite3_free(text);
	store_password(r, name, password);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

int login_alter(struct registry *r, const char *name, const char *password,
		int disabled, const char *new_name,
		const char *default_database, struct diag *d)
{
	struct login old;

	if (login_find(r, name, &old) < 0)
		return diag_set(d, 15151, "alter", "login", name);
	pthread_mutex_lock(&r->lock);
	if (password)
		store_password(r, name, password);
	if (disabled >= 0)
		schema_try(r->sql,
			   "UPDATE logins SET disabled = %d WHERE id = %d",
			   disabled, old.id);
	if (default_database) {
		char *text = sqlite3_mprintf(
			"UPDATE logins SET default_database = %Q WHERE id = %d",
			default_database, old.id);

		sqlite3_exec(r->sql, text, NULL, NULL, NULL);
		sqlite3_free(text);
	}
	if (new_name) {
		char *text = sqlite3_mprintf(
			"UPDATE logins SET name = %Q WHERE id = %d", new_name,
			old.id);

		sqlite3_exec(r->sql, text, NULL, NULL, NULL);
		sqlite3_free(text);
	}
	pthread_mutex_unlock(&r->lock);
	return 0;
}

int login_drop(struct registry *r, const char *name, struct diag *d)
{
	struct login old;

	if (login_find(r, name, &old) < 0)
		return diag_set(d, 15151, "drop", "login", name);
	pthread_mutex_lock(&r->lock);
	schema_try(r->sql, "DELETE FROM logins WHERE id = %d", old.id);
	schema_try(r->sql, "DELETE FROM role_members WHERE login = %d", old.id);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

void login_role(struct registry *r, const char *role, const char *member,
		bool add)
{
	char *text = sqlite3_mprintf(
		add ? "INSERT OR IGNORE INTO role_members SELECT %Q, id FROM"
		      " logins WHERE name = %Q"
		    : "DELETE FROM role_members WHERE role = %Q AND login ="
		      " (SELECT id FROM logins WHERE name = %Q)",
		role, member);

	pthread_mutex_lock(&r->lock);
	sqlite3_exec(r->sql, text, NULL, NULL, NULL);
	pthread_mutex_unlock(&r->lock);
	sqlite3_free(text);
}

bool login_in_role(struct registry *r, int login_id, const char *role)
{
	sqlite3_stmt *st = NULL;
	bool found = false;

	pthread_mutex_lock(&r->lock);
	if (sqlite3_prepare_v2(r->sql,
			       "SELECT 1 FROM role_members WHERE login = ? AND"
			       " role = ?",
			       -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_int(st, 1, login_id);
		sqlite3_bind_text(st, 2, role, -1, SQLITE_STATIC);
		found = sqlite3_step(st) == SQLITE_ROW;
	}
	sqlite3_finalize(st);
	pthread_mutex_unlock(&r->lock);
	return found;
}
