#include "exec/stmts.h"
#include "fn/fn.h"
#include "fn/rows.h"
#include "plan/builtin.h"
#include "plan/sysviews.h"
#include "plan/tvf.h"
const struct sysview sysviews_tables[] = {{NULL,NULL,NULL,NULL,false}};
const struct sysview sysviews_server[] = {{NULL,NULL,NULL,NULL,false}};
const struct sysview sysviews_schema[] = {{NULL,NULL,NULL,NULL,false}};
const struct sysview sysviews_compat[] = {{NULL,NULL,NULL,NULL,false}};
