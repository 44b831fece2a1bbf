/* cleanup.c - deleting what of the log is no longer needed ("Metadata Cleanup").
 *
 * Kept are: everything from the newest checkpoint on, the newest 1,000 entries (a writer that slept must find its slot taken), and what is younger
 * than delta.logRetentionDuration, ages being differences of the store's own times. An old version can only be read from a checkpoint on, so
 * what goes is always everything below one checkpoint that stays.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { NEWEST_KEPT = 1000 };
static const int64_t default_retention_ms = INT64_C(30) * 24 * 3600 * 1000;

int64_t delta_interval(const char *text, int64_t if_absent)
{
    static const struct { const char *name; int64_t ms; } units[] = {
        { "millisecond", 1 }, { "second", 1000 }, { "minute", 60000 }, { "hour", 3600000 }, { "day", 86400000 }, { "week", 604800000 },
    };
    int64_t total = 0;
    if (!text)
        return if_absent;
    if (strncmp(text, "interval ", 9) == 0)
        text += 9;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        char *end;
        long long n = strtoll(text, &end, 10);
        size_t word, found = 6;
        text = end + strspn(end, " ");
        word = strcspn(text, " ");
        for (size_t i = 0; i < 6; i++)
            if (strncmp(text, units[i].name, strlen(units[i].name)) == 0 && (word == strlen(units[i].name) || (word == strlen(units[i].name) + 1 && text[word - 1] == 's')))
                found = i;
        if (found == 6 || n < 0 || n > 1000000000)
            return -1;
        total += n * units[found].ms;
        text += word;
    }
    return total;
}

struct old {
    int64_t below;   /* versions that may go */
    int64_t younger; /* store time in microseconds: what was modified after it stays, and all that follows */
    int64_t limit;   /* the newest checkpoint whose predecessors may all go, -1: none yet */
    char **names;
    size_t n, room;
    size_t deletable; /* names before this lie below `limit` */
    bool failed;
};

static pen_status listed(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct old *x = arg;
    char *end;
    long long version = strtoll(o->name, &end, 10);
    (void)err;
    if (end != o->name + 20)
        return PEN_OK;
    if (version >= x->below || o->modified > x->younger)
        return PEN_SKIP; /* names come in the order of versions: from here on all stays */
    if (strcmp(end, ".checkpoint.parquet") == 0) {
        x->limit = version;
        x->deletable = x->n;
    }
    if (x->n == x->room) {
        size_t room = x->room ? x->room * 2 : 256;
        char **v = realloc(x->names, room * sizeof *v);
        if (!v) {
            x->failed = true;
            return PEN_SKIP;
        }
        x->names = v;
        x->room = room;
    }
    x->names[x->n] = strdup(o->name);
    x->failed |= !x->names[x->n];
    x->n++;
    return x->failed ? PEN_SKIP : PEN_OK;
}

pen_status delta_clean_up(const struct delta_state *s, const struct pen_host *host, int64_t *deleted, struct pen_error *err)
{
    const char *enabled = delta_pairs_get(&s->metadata.configuration, "delta.enableExpiredLogCleanup");
    int64_t now, keep = delta_interval(delta_pairs_get(&s->metadata.configuration, "delta.logRetentionDuration"), default_retention_ms);
    struct old x = { .limit = -1 };
    *deleted = 0;
    x.below = s->version - NEWEST_KEPT < s->checkpoint ? s->version - NEWEST_KEPT + 1 : s->checkpoint;
    if (x.below <= 0 || keep < 0 || (enabled && strcmp(enabled, "false") == 0))
        return PEN_OK;
    pen_status st = pen_store_now(host, s->log, &now, err);
    x.younger = now - keep * 1000;
    if (st >= 0)
        st = pen_failpoint("delta.clean-up", err);
    if (st >= 0)
        st = pen_store_list(host, s->log, NULL, false, listed, &x, err);
    if (st >= 0 && x.failed)
        st = pen_fail(err, PEN_FATAL, "%s: out of memory", s->url);
    for (size_t i = 0; i < x.n; i++) {
        char path[1200];
        if (st >= 0 && i < x.deletable) {
            st = pen_url_join(path, sizeof path, s->log, x.names[i], err);
            if (st >= 0)
                st = pen_store_remove(host, path, err);
            *deleted += st >= 0;
        }
        free(x.names[i]);
    }
    free(x.names);
    return st < 0 ? st : PEN_OK;
}
