#ifndef TDSD_LOGIN_H
#define TDSD_LOGIN_H

#include "exec/session.h"
#include "net/conn.h"

/*
 * From the first byte to a logged-in session: PRELOGIN, TLS, LOGIN7. False
 * when the connection is to be closed (the client has been told why).
 */
bool login_run(struct session *s);

#endif
