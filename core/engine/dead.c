/* dead.c - see dead.h. SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "data/text.h"
#include "engine/dead.h"
#include "engine/host.h"

#define TAIL ((size_t)128 << 10)

struct pen_dead {
    const struct pen_host *host;
    char *path;
    bool fsync;
};

/* Where a letter lies in its heap's text. */
struct line {
    struct pen_position position;
    size_t at, n;
};

/* Letters of one partition since the last cut, as they came: a batch's undecoded records before those that its transforms refuse. */
struct heap {
    char *key;
    struct pen_text text;
    struct line *lines;
    size_t n, cap;
};

struct pen_dead_writer {
    struct pen_dead *dead;
    struct heap *heaps;
    size_t n, cap;
};

pen_status pen_dead_new(struct pen_dead **out, const struct pen_host *host, const char *path, bool fsync, struct pen_error *err)
{
    struct pen_dead *d = calloc(1, sizeof *d);
    *out = d;
    if (!d || !(d->path = strdup(path))) {
        free(d);
        *out = NULL;
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    d->host = host;
    d->fsync = fsync;
    return PEN_OK;
}

void pen_dead_free(struct pen_dead **d)
{
    if (*d)
        free((*d)->path);
    free(*d);
    *d = NULL;
}

/* Name of an object: the words of its first position, 20 digits each, so that names sort as positions do. */
static void object_name(char buf[128], const struct pen_position *pos)
{
    size_t at = 0;
    buf[0] = '\0';
    for (uint32_t i = 0; i < pos->n && i < 4; i++)
        at += (size_t)snprintf(buf + at, 128 - at, "%s%020" PRIu64, i ? "." : "", pos->w[i]);
}

/* -- writing ----------------------------------------------------------------------------------------------------------------------- */

static struct heap *find_heap(struct pen_dead_writer *w, const struct pen_dead_letter *l)
{
    struct heap *h;
    for (size_t i = w->n; i-- > 0;) /* most often the one that had the last letter */
        if (strcmp(w->heaps[i].key, l->key) == 0)
            return &w->heaps[i];
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 4;
        h = realloc(w->heaps, cap * sizeof *h);
        if (!h)
            return NULL;
        w->heaps = h;
        w->cap = cap;
    }
    h = &w->heaps[w->n];
    memset(h, 0, sizeof *h);
    h->key = strdup(l->key);
    if (!h->key)
        return NULL;
    w->n++;
    return h;
}

static void put_record(struct pen_text *t, const struct pen_dead_letter *l)
{
    if (!l->record)
        return;
    if (pen_utf8_valid(l->record, l->record_size)) {
        pen_text_put(t, ",\"record\":");
        pen_text_json_string(t, l->record, l->record_size);
    } else {
        pen_text_put(t, ",\"encoding\":\"base64\",\"record\":\"");
        pen_text_base64(t, l->record, l->record_size);
        pen_text_put(t, "\"");
    }
    if (l->record_length > l->record_size)
        pen_text_format(t, ",\"length\":%zu", l->record_length);
}

static void put_position(struct pen_text *t, const struct pen_position *pos)
{
    if (pos->n == 1) {
        pen_text_format(t, ",\"position\":%" PRIu64, pos->w[0]);
        return;
    }
    pen_text_put(t, ",\"position\":[");
    for (uint32_t i = 0; i < pos->n && i < 4; i++)
        pen_text_format(t, "%s\"%" PRIu64 "\"", i ? "," : "", pos->w[i]);
    pen_text_put(t, "]");
}

static void put_string(struct pen_text *t, const char *label, const char *text)
{
    pen_text_format(t, "%s\"%s\":", t->n && t->bytes[t->n - 1] != '\n' ? "," : "{", label);
    pen_text_json_string(t, text, strlen(text));
}

void pen_dead_line(struct pen_text *t, const struct pen_dead_letter *l, const struct pen_host *host)
{
    char when[40] = "";
    time_t seconds = (time_t)(pen_wall_clock(host) / 1000000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    put_string(t, "pipeline", pen_pipeline_name(host));
    put_string(t, "stage", l->stage);
    put_string(t, "source", l->source);
    put_string(t, "partition", l->partition);
    put_position(t, &l->position);
    put_string(t, "time", when);
    put_string(t, "reason", l->reason);
    put_record(t, l);
    pen_text_put(t, "}\n");
}

static struct line *add_line(struct heap *h)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 16;
        struct line *v = realloc(h->lines, cap * sizeof *v);
        if (!v)
            return NULL;
        h->lines = v;
        h->cap = cap;
    }
    return &h->lines[h->n++];
}

pen_status pen_dead_add(struct pen_dead_writer *w, const struct pen_dead_letter *l, struct pen_error *err)
{
    struct heap *h = find_heap(w, l);
    struct line *line = h ? add_line(h) : NULL;
    if (!line)
        return pen_fail(err, PEN_FATAL, "out of memory");
    line->position = l->position;
    line->at = h->text.n;
    pen_dead_line(&h->text, l, w->dead->host);
    line->n = h->text.n - line->at;
    return pen_text_failed(&h->text) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

size_t pen_dead_partitions(const struct pen_dead_writer *w)
{
    return w->n;
}

static pen_status writer_open(void *ctx, unsigned lane, void **writer, struct pen_error *err)
{
    struct pen_dead_writer *w = calloc(1, sizeof *w);
    (void)lane;
    *writer = w;
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->dead = ctx;
    return PEN_OK;
}

static void abandon(void *writer)
{
    struct pen_dead_writer *w = writer;
    for (size_t i = 0; i < w->n; i++) {
        free(w->heaps[i].key);
        free(w->heaps[i].lines);
        pen_text_fini(&w->heaps[i].text);
    }
    w->n = 0;
}

static void writer_close(void *writer)
{
    struct pen_dead_writer *w = writer;
    abandon(w);
    free(w->heaps);
    free(w);
}

static size_t held(void *writer)
{
    struct pen_dead_writer *w = writer;
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += w->heaps[i].text.n;
    return n;
}

static int by_position(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = pen_position_compare(&x->position, &y->position);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* Staged: for each partition its key, first position, and letters in the order of their positions: an object is named by its first, and its last tells
 * how far the letters reach. Nothing lies on the disk yet: rows are read again after a crash, and find the same letters. */
static pen_status stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct pen_dead_writer *w = writer;
    struct pen_text out = { 0 };
    for (size_t i = 0; i < w->n; i++) {
        struct heap *h = &w->heaps[i];
        uint64_t sizes[2] = { strlen(h->key), h->text.n };
        qsort(h->lines, h->n, sizeof *h->lines, by_position);
        pen_text_append(&out, sizes, sizeof sizes);
        pen_text_append(&out, &h->lines[0].position, sizeof h->lines[0].position);
        pen_text_append(&out, h->key, sizes[0]);
        for (size_t k = 0; k < h->n; k++)
            pen_text_append(&out, h->text.bytes + h->lines[k].at, h->lines[k].n);
        staged->rows += (int64_t)h->n;
        staged->files++;
        staged->file_bytes += (int64_t)sizes[1];
    }
    abandon(w);
    if (pen_text_failed(&out)) {
        pen_text_fini(&out);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    staged->bytes = out.bytes;
    staged->n = out.n;
    return PEN_OK;
}

/* The folder of a partition: its key below the path. A name that is too long for a folder ends in a hash of the whole. */
static pen_status key_folder(const struct pen_dead *d, const char *key, char *buf, size_t size, struct pen_error *err)
{
    char shorter[1024];
    const char *last = strrchr(key, '/');
    size_t n = last ? strlen(last + 1) : 0, head = last ? (size_t)(last + 1 - key) : 0;
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    if (n <= 200)
        return pen_url_join(buf, size, d->path, key, err);
    for (const char *p = last + 1; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    if (head + 220 > sizeof shorter)
        return pen_fail(err, PEN_FATAL, "the names of the pipeline, the sink and the source are too long for a path");
    snprintf(shorter, sizeof shorter, "%.*s~%016" PRIx64, (int)(head + 180), key, h);
    return pen_url_join(buf, size, d->path, shorter, err);
}

/* -- publishing -------------------------------------------------------------------------------------------------------------------- */

static pen_status same_object(struct pen_dead *d, const char *url, const char *text, size_t n, bool *same, struct pen_error *err)
{
    char *there;
    size_t there_n;
    pen_status st = pen_store_get(d->host, url, (size_t)1 << 31, &there, &there_n, err);
    *same = false;
    if (st != PEN_OK)
        return st;
    *same = there_n == n && memcmp(there, text, n) == 0;
    free(there);
    return PEN_OK;
}

static pen_status put_object(struct pen_dead *d, const char *plan_id, const char *key, const struct pen_position *first, const char *text, size_t n,
                             pen_publish_outcome *outcome, struct pen_error *err)
{
    char name[160], folder[3072], url[3300];
    pen_put_outcome put = PEN_PUT_UNKNOWN;
    bool same = false;
    pen_status st;
    object_name(name, first);
    if (!first->n)
        snprintf(name, sizeof name, "%s", plan_id);
    strncat(name, ".jsonl", sizeof name - strlen(name) - 1);
    st = key_folder(d, *key ? key : "pipeline", folder, sizeof folder, err);
    if (st >= 0)
        st = pen_url_join(url, sizeof url, folder, name, err);
    if (st >= 0)
        st = pen_store_put(d->host, url, text, n, PEN_PUT_IF_ABSENT | (d->fsync ? 0 : PEN_PUT_NO_FSYNC), &put, err);
    if (st < 0)
        return st;
    if (put != PEN_PUT_DONE) {
        st = same_object(d, url, text, n, &same, err);
        if (st < 0)
            return st;
        *outcome = same ? PEN_PUBLISH_DONE : st == PEN_SKIP ? PEN_PUBLISH_UNKNOWN : PEN_PUBLISH_REFUSED;
        return PEN_OK;
    }
    *outcome = PEN_PUBLISH_DONE;
    return PEN_OK;
}

static pen_status publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    pen_status st = PEN_OK;
    *outcome = PEN_PUBLISH_DONE;
    for (size_t i = 0; i < plan->n_staged && st >= 0 && *outcome == PEN_PUBLISH_DONE; i++) {
        const char *at = plan->staged[i].bytes, *end = at + plan->staged[i].n;
        while (at < end && st >= 0 && *outcome == PEN_PUBLISH_DONE) {
            uint64_t sizes[2];
            struct pen_position first;
            char *key;
            memcpy(sizes, at, sizeof sizes);
            memcpy(&first, at + sizeof sizes, sizeof first);
            at += sizeof sizes + sizeof first;
            key = strndup(at, (size_t)sizes[0]);
            at += sizes[0];
            st = key ? put_object(ctx, plan->id, key, &first, at, (size_t)sizes[1], outcome, err) : pen_fail(err, PEN_FATAL, "out of memory");
            at += sizes[1];
            free(key);
        }
    }
    return st;
}

const struct pen_sink pen_dead_sink = { .writer_open = writer_open, .writer_close = writer_close, .held = held, .stage = stage,
                                        .abandon = abandon, .publish = publish };

/* -- what lies there already ------------------------------------------------------------------------------------------------------- */

/* Objects of a partition follow one another, so the last one tells how far they reach. It may begin before the position asked about: a plan that
 * was refused after its letters were put began at an older one. */
struct last_object {
    char name[1024];
    int64_t size;
};
static pen_status note_last(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct last_object *last = arg;
    size_t n = strlen(o->name);
    (void)err;
    if (n > 6 && strcmp(o->name + n - 6, ".jsonl") == 0) {
        memcpy(last->name, o->name, n + 1);
        last->size = o->size;
    }
    return PEN_OK;
}

static bool position_of_line(const char *line, size_t n, struct pen_position *out)
{
    cJSON *o = cJSON_ParseWithLength(line, n);
    const cJSON *p = cJSON_GetObjectItemCaseSensitive(o, "position"), *word;
    out->n = 0;
    if (cJSON_IsNumber(p) && p->valuedouble >= 0)
        *out = pen_position_of((uint64_t)p->valuedouble);
    cJSON_ArrayForEach(word, p)
        if (cJSON_IsString(word) && out->n < 4)
            out->w[out->n++] = strtoull(word->valuestring, NULL, 10);
    cJSON_Delete(o);
    return out->n != 0;
}

/* The last line of an object, read from its end backwards in growing pieces. */
static pen_status read_last_line(struct pen_dead *d, const char *url, int64_t size, struct pen_position *out, struct pen_error *err)
{
    for (size_t piece = TAIL;; piece *= 4) {
        size_t want = (int64_t)piece < size ? piece : (size_t)size, got;
        char *buf = malloc(want + 1), *nl;
        pen_status st = buf ? pen_store_read(d->host, url, size - (int64_t)want, buf, want, &got, err) : pen_fail(err, PEN_FATAL, "out of memory");
        bool whole, good;
        if (st != PEN_OK) {
            free(buf);
            return st == PEN_SKIP ? pen_fail(err, PEN_RETRY, "%s vanished", url) : st;
        }
        nl = NULL;
        for (size_t i = got > 1 ? got - 1 : 0; i-- > 0 && !nl;)
            nl = buf[i] == '\n' ? buf + i : NULL;
        whole = nl || (int64_t)want == size;
        good = whole && position_of_line(nl ? nl + 1 : buf, (size_t)(buf + got - (nl ? nl + 1 : buf)), out);
        free(buf);
        if (whole)
            return good ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: its last line is not a dead letter with a position", url);
    }
}

/* What is gone by from now on must not be lost with the power, and its writer may have been killed before it could sync: a put of a name that is taken answers
 * once that is on the disk. */
static pen_status make_sure(struct pen_dead *d, const char *url, struct pen_error *err)
{
    pen_put_outcome put;
    pen_status st = pen_store_put(d->host, url, "", 0, PEN_PUT_IF_ABSENT, &put, err);
    if (st >= 0 && put == PEN_PUT_DONE)
        st = pen_store_remove(d->host, url, err); /* somebody has taken it away just now: no empty one in its place */
    return st < 0 || put == PEN_PUT_EXISTS ? st : pen_fail(err, PEN_RETRY, "%s: it is not known whether it will stay there", url);
}

pen_status pen_dead_shown(struct pen_dead *d, const char *key, const struct pen_position *from, struct pen_position *out,
                          struct pen_error *err)
{
    struct last_object last = { .name = "" };
    char folder[3072], url[4200];
    pen_status st = key_folder(d, key, folder, sizeof folder, err);
    out->n = 0;
    if (st >= 0)
        st = pen_store_list(d->host, folder, NULL, false, note_last, &last, err);
    if (st < 0 || !last.name[0] || !last.size)
        return st;
    st = pen_url_join(url, sizeof url, folder, last.name, err);
    if (st >= 0)
        st = read_last_line(d, url, last.size, out, err);
    if (st == PEN_OK && d->fsync)
        st = make_sure(d, url, err);
    if (st == PEN_OK)
        out->w[out->n - 1]++;
    if (st == PEN_OK && pen_position_compare(out, from) <= 0)
        out->n = 0;
    return st;
}
