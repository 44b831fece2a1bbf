/* rules.c - expiry, encryption and tags of a bucket. Each is one document that S3 replaces whole, so what others wrote into it is read first and kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "aws/xml.h"
#include "rules.h"

#define XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static pen_status broken(const char *what, const struct aws_xml *x, struct pen_error *err)
{
    return pen_fail(err, PEN_RETRY, "the %s of the bucket is broken: %s", what, x->why);
}

/* -- expiry -------------------------------------------------------------------------------------------------------------------------------------- */

pen_status s3_rules_without(struct pen_text *out, const char *xml, size_t size, const char *id, size_t *n, bool *found, struct pen_error *err)
{
    struct aws_xml x;
    const char *from = NULL;
    bool mine = false;
    pen_status st = PEN_OK;
    *n = 0;
    *found = false;
    aws_xml_init(&x, xml, size);
    while (aws_xml_next(&x))
        if (x.depth == 2 && strcmp(x.name, "Rule") == 0 && x.kind == AWS_XML_OPEN) {
            from = x.p;
            mine = false;
        } else if (x.depth == 3 && aws_xml_leaf(&x, "Rule", "ID")) {
            mine = strcmp(x.text.bytes, id) == 0;
        } else if (x.depth == 2 && aws_xml_leaf(&x, NULL, "Rule") && from) {
            *found |= mine;
            if (!mine) {
                pen_text_put(out, "<Rule>");
                pen_text_append(out, from, (size_t)(x.p - from)); /* its end tag too */
                ++*n;
            }
            from = NULL;
        }
    if (x.why)
        st = broken("lifecycle", &x, err);
    aws_xml_fini(&x);
    return st;
}

static void put_rule(struct pen_text *out, const char *id, const char *prefix, int64_t days)
{
    pen_text_put(out, "<Rule>");
    s3_xml_put(out, "ID", id);
    pen_text_put(out, "<Filter>");
    s3_xml_put(out, "Prefix", prefix);
    pen_text_format(out, "</Filter><Status>Enabled</Status><Expiration><Days>%" PRId64 "</Days></Expiration></Rule>", days);
}

pen_status s3_rules_expire(struct s3_store *s, const struct s3_target *t, const char *prefix, int64_t days, struct pen_error *err)
{
    struct pen_text old = { 0 }, body = { 0 };
    char id[64];
    size_t n = 0;
    bool found = false;
    pen_status st = s3_bucket_get(s, t, "lifecycle", &old, err);
    snprintf(id, sizeof id, "penstock-expire-%08lx", crc32_z(0, (const Bytef *)prefix, strlen(prefix))); /* one rule a prefix, which may be longer than an id */
    pen_text_put(&body, "<LifecycleConfiguration" XMLNS ">");
    if (st == PEN_OK)
        st = s3_rules_without(&body, old.bytes, old.n, id, &n, &found, err);
    if (days)
        put_rule(&body, id, prefix, days);
    pen_text_put(&body, "</LifecycleConfiguration>");
    if (st >= 0 && (days || n))
        st = days || found ? s3_bucket_set(s, t, "lifecycle", &body, err) : PEN_OK;
    else if (st >= 0 && found)
        st = s3_bucket_unset(s, t, "lifecycle", err);
    pen_text_fini(&old);
    pen_text_fini(&body);
    return st < 0 ? st : PEN_OK;
}

/* -- encryption ----------------------------------------------------------------------------------------------------------------------------------- */

pen_status s3_rules_encrypt(struct s3_store *s, const struct s3_target *t, const char *algorithm, const char *key, struct pen_error *err)
{
    struct pen_text body = { 0 };
    pen_status st;
    if (!algorithm)
        return s3_bucket_unset(s, t, "encryption", err);
    pen_text_put(&body, "<ServerSideEncryptionConfiguration" XMLNS "><Rule><ApplyServerSideEncryptionByDefault>");
    s3_xml_put(&body, "SSEAlgorithm", algorithm);
    if (key)
        s3_xml_put(&body, "KMSMasterKeyID", key);
    pen_text_put(&body, "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>");
    st = s3_bucket_set(s, t, "encryption", &body, err);
    pen_text_fini(&body);
    return st;
}

/* -- tags ----------------------------------------------------------------------------------------------------------------------------------------- */

static void put_tag(struct pen_text *body, const char *key, const char *value)
{
    pen_text_put(body, "<Tag>");
    s3_xml_put(body, "Key", key);
    s3_xml_put(body, "Value", value);
    pen_text_put(body, "</Tag>");
}

struct tagging {
    struct pen_text *body;
    const struct pen_strings *given;
};

static void keep_tag(void *arg, const char *what, const char *key, const char *value)
{
    const struct tagging *g = arg;
    size_t n = strlen(key);
    (void)what;
    for (size_t i = 0; i < g->given->n; i++)
        if (strncmp(g->given->v[i], key, n) == 0 && g->given->v[i][n] == '=')
            return;
    put_tag(g->body, key, value);
}

static pen_status each_tag(const struct pen_text *xml, void (*line)(void *arg, const char *what, const char *name, const char *value), void *arg,
                           struct pen_error *err)
{
    struct aws_xml x;
    char key[600] = "";
    pen_status st = PEN_OK;
    aws_xml_init(&x, xml->bytes, xml->n);
    while (aws_xml_next(&x))
        if (aws_xml_leaf(&x, "Tag", "Key"))
            snprintf(key, sizeof key, "%s", x.text.bytes);
        else if (aws_xml_leaf(&x, "Tag", "Value"))
            line(arg, "tag", key, x.text.bytes);
    if (x.why)
        st = broken("tagging", &x, err);
    aws_xml_fini(&x);
    return st;
}

pen_status s3_rules_tag(struct s3_store *s, const struct s3_target *t, const struct pen_strings *tags, struct pen_error *err)
{
    struct pen_text old = { 0 }, body = { 0 };
    struct tagging g = { &body, tags };
    char key[600];
    if (!tags->n)
        return s3_bucket_unset(s, t, "tagging", err);
    pen_status st = s3_bucket_get(s, t, "tagging", &old, err);
    pen_text_put(&body, "<Tagging" XMLNS "><TagSet>");
    if (st == PEN_OK)
        st = each_tag(&old, keep_tag, &g, err);
    for (size_t i = 0; i < tags->n; i++) {
        const char *equals = strchr(tags->v[i], '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - tags->v[i]), tags->v[i]);
        put_tag(&body, key, equals + 1);
    }
    pen_text_put(&body, "</TagSet></Tagging>");
    if (st >= 0)
        st = s3_bucket_set(s, t, "tagging", &body, err);
    pen_text_fini(&old);
    pen_text_fini(&body);
    return st < 0 ? st : PEN_OK;
}

/* -- all of it ------------------------------------------------------------------------------------------------------------------------------------ */

typedef void line_of(void *arg, const char *what, const char *name, const char *value);

static pen_status describe_lifecycle(const struct pen_text *xml, line_of *line, void *arg, struct pen_error *err)
{
    struct aws_xml x;
    char prefix[S3_KEY] = "", days[32] = "", text[64];
    bool on = false;
    pen_status st = PEN_OK;
    aws_xml_init(&x, xml->bytes, xml->n);
    while (aws_xml_next(&x))
        if (aws_xml_leaf(&x, NULL, "Prefix")) {
            snprintf(prefix, sizeof prefix, "%s", x.text.bytes);
        } else if (aws_xml_leaf(&x, "Rule", "Status")) {
            on = strcmp(x.text.bytes, "Enabled") == 0;
        } else if (aws_xml_leaf(&x, "Expiration", "Days")) {
            snprintf(days, sizeof days, "%s", x.text.bytes);
        } else if (x.depth == 2 && aws_xml_leaf(&x, NULL, "Rule")) {
            snprintf(text, sizeof text, "%.20s day%s%s", days, strcmp(days, "1") ? "s" : "", on ? "" : ", disabled");
            if (*days)
                line(arg, "expiry", prefix, text);
            *prefix = *days = '\0';
            on = false;
        }
    if (x.why)
        st = broken("lifecycle", &x, err);
    aws_xml_fini(&x);
    return st;
}

static pen_status describe_encryption(const struct pen_text *xml, line_of *line, void *arg, struct pen_error *err)
{
    struct aws_xml x;
    char algorithm[64] = "", key[300] = "";
    pen_status st = PEN_OK;
    aws_xml_init(&x, xml->bytes, xml->n);
    while (aws_xml_next(&x))
        if (aws_xml_leaf(&x, NULL, "SSEAlgorithm"))
            snprintf(algorithm, sizeof algorithm, "%s", x.text.bytes);
        else if (aws_xml_leaf(&x, NULL, "KMSMasterKeyID"))
            snprintf(key, sizeof key, "%s", x.text.bytes);
    if (x.why)
        st = broken("encryption", &x, err);
    aws_xml_fini(&x);
    if (st >= 0 && *algorithm)
        line(arg, "encryption", *key ? key : NULL, algorithm);
    return st;
}

static pen_status describe_versioning(const struct pen_text *xml, line_of *line, void *arg, struct pen_error *err)
{
    struct aws_xml x;
    char status[32] = "";
    pen_status st = PEN_OK;
    aws_xml_init(&x, xml->bytes, xml->n);
    while (aws_xml_next(&x))
        if (aws_xml_leaf(&x, "VersioningConfiguration", "Status"))
            snprintf(status, sizeof status, "%s", x.text.bytes);
    if (x.why)
        st = broken("versioning", &x, err);
    aws_xml_fini(&x);
    if (st >= 0 && *status)
        line(arg, "versioning", NULL, status);
    return st;
}

pen_status s3_rules_describe(struct s3_store *s, const struct s3_target *t, line_of *line, void *arg, struct pen_error *err)
{
    static const struct {
        const char *what;
        pen_status (*take)(const struct pen_text *xml, line_of *line, void *arg, struct pen_error *err);
    } parts[] = { { "versioning", describe_versioning }, { "lifecycle", describe_lifecycle }, { "encryption", describe_encryption }, { "tagging", each_tag } };
    pen_status st = PEN_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && st >= 0; i++) {
        struct pen_text xml = { 0 };
        st = s3_bucket_get(s, t, parts[i].what, &xml, err);
        if (st == PEN_OK)
            st = parts[i].take(&xml, line, arg, err);
        pen_text_fini(&xml);
    }
    return st < 0 ? st : PEN_OK;
}
