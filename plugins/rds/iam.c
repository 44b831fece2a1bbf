/* iam.c - passwords that AWS signs: `auth = iam`. A token is a presigned URL, good for a quarter of an hour, so each connection gets one of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rds.h"
#include "sql.h"

#define LIFE 900 /* seconds: what RDS takes at most */

#ifdef RDS_HAVE_AWS
static pen_status token(const struct rds_login *l, char **out, struct pen_error *err)
{
    const struct rds *s = l->source;
    struct aws_fields query = { 0 };
    struct pen_text text = { 0 };
    char host[300];
    pen_status st;
    snprintf(host, sizeof host, "%s:%d", l->url.host, l->url.port);
    for (char *p = host; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    aws_field_add(&query, "Action", "connect");
    aws_field_add(&query, "DBUser", l->url.user);
    st = aws_presign(s->aws_client, "rds-db", host, &query, LIFE, &text, err);
    aws_fields_fini(&query);
    *out = st < 0 ? NULL : rds_sql_take(&text);
    pen_text_fini(&text);
    return st < 0 || *out ? st : pen_fail(err, PEN_FATAL, "out of memory");
}

pen_status rds_iam_start(struct rds *s, struct pen_error *err)
{
    if (s->auth == 0)
        return PEN_OK;
    if (s->login.url.password)
        return pen_fail(err, PEN_BADCONF, "auth = iam: there is a password, too; AWS makes one for each connection");
    if (!s->login.tls)
        return pen_fail(err, PEN_BADCONF, "auth = iam: it needs tls = verify, as the token is sent as it is");
    s->aws.connect_timeout = s->connect_timeout;
    s->aws.silence_timeout = s->connect_timeout;
    s->aws.attempts = 5;
    s->login.token = token;
    s->login.source = s;
    return aws_client_new(&s->aws_client, s->host, &s->aws, "rds-db", err);
}

void rds_iam_stop(struct rds *s)
{
    aws_client_free(&s->aws_client);
}
#else
pen_status rds_iam_start(struct rds *s, struct pen_error *err)
{
    return s->auth == 0 ? PEN_OK : pen_fail(err, PEN_BADCONF, "auth = iam: this rds plugin was built without libcurl or libcrypto, which signing needs");
}

void rds_iam_stop(struct rds *s)
{
    (void)s;
}
#endif

pen_status rds_password(const struct rds_login *l, char **made, const char **password, struct pen_error *err)
{
    pen_status st = PEN_OK;
    *made = NULL;
    if (l->token)
        st = l->token(l, made, err);
    *password = l->token ? *made : l->url.password;
    return st;
}

void rds_password_free(char **made)
{
    if (*made)
        explicit_bzero(*made, strlen(*made));
    free(*made);
    *made = NULL;
}
