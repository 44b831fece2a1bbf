/* url.h - where a database is and who asks it: mysql://USER:PASSWORD@HOST:PORT/DATABASE and the like.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_RDS_URL_H
#define PENSTOCK_RDS_URL_H

#include <penstock/error.h>

typedef enum { RDS_MYSQL, RDS_POSTGRES } rds_kind;

/* Parts of a URL, percent-decoded; all malloc'ed, NULL where not given. Starts as { 0 }. */
struct rds_url {
    rds_kind kind;
    char *user, *password, *host, *database, *socket;
    int port; /* the kind's own where not given */
};

/* Schemes: mysql, mariadb, postgresql, postgres. `?socket=PATH` is a local socket (PostgreSQL: its folder). No message repeats the URL, which may
 * hold a password. On failure *out is empty. */
pen_status rds_url_parse(struct rds_url *out, const char *text, struct pen_error *err);
void rds_url_fini(struct rds_url *u);

#endif
