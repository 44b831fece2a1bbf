/* archive.c - the s3 sink on the commit's thread: names, puts, and how far what lies there reaches.
 *
 * An object is named by its first position and put if absent, each only once the one before it is known to be there; so the objects of a partition follow one
 * another without a gap, whoever wrote them, and a name that is taken says that somebody else has been quicker. Nothing lies in the store before that: after a kill
 * the rows are read again from where the last object ends. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"

static const struct pen_option options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct archive, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "URL of the folder that holds the topics' folders, such as s3://lake/topics." },
    { "topic", PEN_OPT_STRING, offsetof(struct archive, topic), NULL, 0, 0, NULL, 0,
      "Name of the topic in paths; where not given, what a partition named TOPIC-3 says, else the name of the stage that is read." },
    { "records", PEN_OPT_COUNT, offsetof(struct archive, records), "0", 0, INT64_C(1000000000), NULL, 0,
      "Messages an object, exactly; an object that is not full waits for more, unless rotate is given. 0: as many as a commit brings." },
    { "target_file_size", PEN_OPT_SIZE, offsetof(struct archive, target_file_size), "64MiB", 1024, INT64_C(1) << 32, NULL, 0,
      "Size, before compression, at which an object is closed." },
    { "rotate", PEN_OPT_DURATION, offsetof(struct archive, rotate), "0s", 0, INT64_C(86400000000) * 30, NULL, 0,
      "Age of an object's first message here from which the next commit closes it; 0: objects are closed at each commit, or when they are full." },
    { "compression", PEN_OPT_ENUM, offsetof(struct archive, compression), "none", 0, 0, "none|gzip|zstd", 0,
      "Compresses each object as a whole; its name then ends in .gz or .zst." },
    { "level", PEN_OPT_INT, offsetof(struct archive, level), "3", 1, 19, NULL, 0, "Compression level: 1 to 9 for gzip, 1 to 19 for zstd." },
    { "expire", PEN_OPT_DURATION, offsetof(struct archive, expire), "0s", 0, 0, NULL, 0,
      "Age, by the store's own time, from which objects are removed; 0: never. Looked at once an hour. Bucket rules do the same in whole days." },
    { .name = NULL }
};

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct archive *a = ctx;
    a->host = host;
    if (!strstr(a->path, "://"))
        return pen_fail(err, PEN_BADCONF, "path = \"%s\": expected the URL of a store, such as s3://lake/topics", a->path);
    if (a->topic && (!a->topic[0] || strspn(a->topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(a->topic) ||
                     strlen(a->topic) > 249))
        return pen_fail(err, PEN_BADCONF, "topic = \"%s\": expected letters, digits, '.', '_' and '-'", a->topic);
    return PEN_OK;
}

static pen_status want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err)
{
    (void)ctx, (void)in;
    return pen_schema_raw(out, err);
}

static pen_status prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    (void)ctx;
    return pen_schema_is_raw(in) ? PEN_OK : pen_fail(err, PEN_BADCONF, "an archive keeps raw messages only");
}

static pen_status open_store(void *ctx, struct pen_error *err)
{
    const struct archive *a = ctx;
    return pen_store_prove(a->host, a->path, err);
}

static pen_status reach(void *ctx, struct pen_error *err)
{
    const struct archive *a = ctx;
    return pen_store_reach(a->host, a->path, err);
}

/* -- names -------------------------------------------------------------------------------------------------------------------------------- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes a key's escapes; false where it does not fit. */
static bool unescape(char *out, size_t size, const char *text, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '%' && i + 2 < n && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
            i += 2;
        }
        if (at + 1 >= size)
            return false;
        out[at++] = c;
    }
    out[at] = '\0';
    return true;
}

/* "TOPIC-3" taken apart at the last '-'; false: that is no such name. */
static bool split_name(const char *name, size_t *topic)
{
    const char *dash = strrchr(name, '-');
    if (!dash || dash == name || !dash[1] || strspn(dash + 1, "0123456789") != strlen(dash + 1))
        return false;
    *topic = (size_t)(dash - name);
    return true;
}

pen_status archive_place_of(const struct archive *a, const char *stage, const char *partition, struct archive_place *out, struct pen_error *err)
{
    const char *at = strchr(partition, '@');
    char name[512], below[800];
    size_t n = at ? (size_t)(at - partition) : strlen(partition), topic = 0;
    bool split;
    out->incarnation[0] = '\0';
    if (!unescape(name, sizeof name, partition, n) || (at && !unescape(out->incarnation, sizeof out->incarnation, at + 1, strlen(at + 1))))
        return pen_fail(err, PEN_FATAL, "partition %.100s: its name is too long for a path", partition);
    split = split_name(name, &topic);
    if (a->topic)
        snprintf(out->topic, sizeof out->topic, "%s", a->topic);
    else
        pen_path_escape(out->topic, sizeof out->topic, split ? name : stage, split ? topic : strlen(stage));
    pen_path_escape(out->number, sizeof out->number, split ? name + topic + 1 : name, strlen(split ? name + topic + 1 : name));
    snprintf(below, sizeof below, "%s/partition=%s", out->topic, out->number);
    return pen_url_join(out->folder, sizeof out->folder, a->path, below, err);
}

void archive_name(const struct archive *a, const struct archive_place *p, const struct pen_position *first, char *buf, size_t size)
{
    static const char *const endings[] = { "", ".gz", ".zst" };
    char offset[100];
    size_t at = 0;
    if (first->n == 1)
        snprintf(offset, sizeof offset, "%010" PRIu64, first->w[0]);
    for (uint32_t i = 0; first->n > 1 && i < first->n; i++) /* so many digits that names sort as positions do */
        at += (size_t)snprintf(offset + at, sizeof offset - at, "%s%020" PRIu64, i ? "." : "", first->w[i]);
    snprintf(buf, size, "%s+%s+%s.json%s", p->topic, p->number, offset, endings[a->compression]);
}

void archive_put_position(char buf[100], const struct pen_position *pos)
{
    size_t at = 0;
    buf[0] = '\0';
    for (uint32_t i = 0; i < pos->n && i < 4; i++)
        at += (size_t)snprintf(buf + at, 100 - at, "%s%" PRIu64, i ? "." : "", pos->w[i]);
}

bool archive_get_position(const char *text, struct pen_position *pos)
{
    pos->n = 0;
    for (const char *p = text; pos->n < 4; p++) {
        char *end;
        if (*p < '0' || *p > '9')
            return false;
        pos->w[pos->n++] = strtoull(p, &end, 10);
        p = end;
        if (!*p)
            return true;
        if (*p != '.')
            return false;
    }
    return false;
}

/* -- what lies there --------------------------------------------------------------------------------------------------------------------- */

struct latest {
    const char *prefix; /* TOPIC+P+ */
    char name[1024];
    struct pen_position first;
};

/* Offsets grow longer than ten digits, so the last name is not always that of the latest object. */
static pen_status note_latest(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct latest *l = arg;
    struct pen_position first;
    char text[100];
    size_t n = strlen(l->prefix), digits;
    (void)err;
    if (strncmp(o->name, l->prefix, n) != 0)
        return PEN_OK;
    digits = strspn(o->name + n, "0123456789.");
    while (digits && o->name[n + digits - 1] == '.')
        digits--;
    if (!digits || digits >= sizeof text || strncmp(o->name + n + digits, ".json", 5) != 0)
        return PEN_OK;
    memcpy(text, o->name + n, digits);
    text[digits] = '\0';
    if (archive_get_position(text, &first) && (!l->name[0] || pen_position_compare(&first, &l->first) > 0)) {
        snprintf(l->name, sizeof l->name, "%s", o->name);
        l->first = first;
    }
    return PEN_OK;
}

/* The end that an object's metadata tell. PEN_SKIP: it is not there. */
static pen_status end_of(const struct archive *a, const char *url, struct pen_position *end, struct pen_error *err)
{
    char text[100];
    pen_status st = pen_store_metadata(a->host, url, ARCHIVE_END, text, sizeof text, err);
    if (st != PEN_OK)
        return st;
    return archive_get_position(text, end) ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: \"%s\" is no position; another program's object?", url, text);
}

static pen_status partition_shown(const struct archive *a, const char *stage, const char *partition, struct pen_position *out, struct pen_error *err)
{
    struct archive_place p;
    struct latest l = { .name = "" };
    char prefix[500], url[3200], was[200];
    pen_status st = archive_place_of(a, stage, partition, &p, err);
    out->n = 0;
    snprintf(prefix, sizeof prefix, "%s+%s+", p.topic, p.number);
    l.prefix = prefix;
    if (st >= 0)
        st = pen_store_list(a->host, p.folder, NULL, false, note_latest, &l, err);
    if (st < 0 || !l.name[0])
        return st;
    st = pen_url_join(url, sizeof url, p.folder, l.name, err);
    if (st >= 0)
        st = end_of(a, url, out, err);
    if (st == PEN_SKIP)
        return pen_fail(err, PEN_FATAL, "%s tells no end (%s): another program's object? Give this sink a folder of its own", url, ARCHIVE_END);
    if (st < 0 || (st = pen_store_metadata(a->host, url, ARCHIVE_OF, was, sizeof was, err)) < 0)
        return st;
    if (strcmp(was, p.incarnation) != 0)
        return pen_fail(err, PEN_FATAL, "%s is of another %s than the one that is read now (deleted and made anew?): give the sink another path", url, p.topic);
    return PEN_OK;
}

static pen_status any_object(void *arg, const struct pen_object *o, struct pen_error *err)
{
    (void)err;
    *(bool *)arg = strchr(o->name, '+') != NULL;
    return *(bool *)arg ? PEN_SKIP : PEN_OK;
}

/* A whole key is answered by the objects of its partition. Of a source as a whole only whether anything lies there; of sources by other names nothing, for
 * objects are named by topics. */
static pen_status shown(void *ctx, const char *prefix,
                        pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                        struct pen_error *err)
{
    const struct archive *a = ctx;
    const char *sink = strchr(prefix, '/'), *source = sink ? strchr(sink + 1, '/') : NULL, *partition = source ? strchr(source + 1, '/') : NULL;
    struct pen_position pos = pen_position_of(0);
    bool any = false;
    char stage[512];
    pen_status st;
    if (!partition)
        return PEN_OK;
    if (!partition[1]) {
        st = pen_store_list(a->host, a->path, NULL, true, any_object, &any, err);
        return st >= 0 && any ? each(arg, prefix, &pos, err) : st < 0 ? st : PEN_OK;
    }
    if (!unescape(stage, sizeof stage, source + 1, (size_t)(partition - source - 1)))
        return pen_fail(err, PEN_FATAL, "the name of source %.100s is too long for a path", source + 1);
    st = partition_shown(a, stage, partition + 1, &pos, err);
    return st < 0 || !pos.n ? (st < 0 ? st : PEN_OK) : each(arg, prefix, &pos, err);
}

/* -- publishing ---------------------------------------------------------------------------------------------------------------------------- */

/* A name that is taken, or an answer that was lost: whose object is it? */
static pen_status settle_put(const struct archive *a, const char *url, const char *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    char by[128];
    pen_status st = pen_store_metadata(a->host, url, ARCHIVE_PLAN, by, sizeof by, err);
    if (st == PEN_SKIP)
        *outcome = PEN_PUBLISH_UNKNOWN; /* not there, or not yet: the same put again finds out */
    else if (st >= 0)
        *outcome = strcmp(by, plan) == 0 ? PEN_PUBLISH_DONE : PEN_PUBLISH_REFUSED;
    return st < 0 ? st : PEN_OK;
}

static pen_status put_object(const struct archive *a, const char *plan, const struct archive_object *o, const char *bytes, pen_publish_outcome *outcome,
                             struct pen_error *err)
{
    char url[3200], end[100];
    const char *const names[] = { ARCHIVE_END, ARCHIVE_PLAN, ARCHIVE_OF, "content-type" };
    const char *const values[] = { end, plan, o->incarnation,
                                   a->compression == ARCHIVE_GZIP ? "application/gzip" : a->compression ? "application/zstd" : "application/x-ndjson" };
    const struct pen_pairs metadata = { 4, names, values };
    pen_put_outcome put;
    pen_status st = pen_url_join(url, sizeof url, o->folder, o->name, err);
    archive_put_position(end, &o->end);
    if (st >= 0)
        st = pen_failpoint("archive.before-put", err);
    if (st >= 0)
        st = pen_store_put_with(a->host, url, bytes, (size_t)o->size, PEN_PUT_IF_ABSENT, &metadata, &put, err);
    if (st >= 0)
        st = pen_failpoint("archive.after-put", err);
    if (st < 0)
        return st;
    *outcome = PEN_PUBLISH_DONE;
    return put == PEN_PUT_DONE ? PEN_OK : settle_put(a, url, plan, outcome, err);
}

static pen_status publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    const struct archive *a = ctx;
    pen_status st = PEN_OK;
    *outcome = PEN_PUBLISH_DONE;
    for (size_t i = 0; i < plan->n_staged && st >= 0 && *outcome == PEN_PUBLISH_DONE; i++) {
        const char *at = plan->staged[i].bytes, *end = at + plan->staged[i].n;
        while (at < end && st >= 0 && *outcome == PEN_PUBLISH_DONE) { /* a lane's objects of a partition come in order */
            struct archive_object o;
            memcpy(&o, at, sizeof o);
            at += sizeof o;
            st = put_object(a, plan->id, &o, at, outcome, err);
            at += o.size;
        }
    }
    return st;
}

/* -- clean-up by age ---------------------------------------------------------------------------------------------------------------------- */

struct cleaning {
    const struct archive *a;
    int64_t before;
    char *names; /* of at most so many at a time, one behind the other */
    size_t n, used, room;
};

static pen_status note_old(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct cleaning *c = arg;
    size_t n = strlen(o->name) + 1;
    (void)err;
    if (o->modified >= c->before || !strstr(o->name, "/partition=") || !strchr(o->name, '+'))
        return PEN_OK;
    if (c->used + n > c->room)
        return PEN_SKIP; /* the rest next time */
    memcpy(c->names + c->used, o->name, n);
    c->used += n;
    c->n++;
    return PEN_OK;
}

static pen_status maintain(void *ctx, struct pen_error *err)
{
    struct archive *a = ctx;
    struct cleaning c = { .a = a, .room = 1 << 20 };
    int64_t now = pen_now(a->host);
    const char *name;
    pen_status st;
    if (!a->expire || now < a->clean_at)
        return PEN_OK;
    a->clean_at = now + INT64_C(3600000000);
    if (!(c.names = malloc(c.room)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = pen_store_now(a->host, a->path, &c.before, err);
    c.before -= a->expire;
    if (st >= 0)
        st = pen_store_list(a->host, a->path, NULL, true, note_old, &c, err);
    name = c.names;
    for (size_t i = 0; i < c.n && st >= 0; i++, name += strlen(name) + 1) {
        char url[4096];
        st = pen_url_join(url, sizeof url, a->path, name, err);
        if (st >= 0)
            st = pen_store_remove(a->host, url, err);
    }
    if (c.n)
        pen_count(a->host, "expired_total", NULL, (int64_t)c.n);
    free(c.names);
    return st < 0 ? st : PEN_OK;
}

const struct pen_sink archive_sink = {
    .ctx_size = sizeof(struct archive),
    .options = options,
    .start = start,
    .want = want,
    .prepare = prepare,
    .open = open_store,
    .connect = reach,
    .shown = shown,
    .expires = true,
    .partial = true,
    .guarantee = "exactly once: an object is named by its first offset and put only where there is none",
    .writer_open = archive_writer_open,
    .writer_close = archive_writer_close,
    .write = archive_write,
    .forget = archive_forget,
    .held = archive_held,
    .stage = archive_stage,
    .abandon = archive_abandon,
    .publish = publish,
    .maintain = maintain,
};
