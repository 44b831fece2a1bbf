/* stub_sink.c - tables of the model: one kind keeps a log and compares, the other shows nothing. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

struct stub_writer {
    struct stub *s;
    struct row *rows;
    size_t n, cap;
};

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    (void)err;
    ((struct stub *)ctx)->host = host;
    return PEN_OK;
}

static pen_status writer_open(void *ctx, unsigned lane, void **writer, struct pen_error *err)
{
    struct stub_writer *w = calloc(1, sizeof *w);
    (void)lane;
    *writer = w;
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->s = ctx;
    return PEN_OK;
}
static void writer_close(void *writer)
{
    free(((struct stub_writer *)writer)->rows);
    free(writer);
}
static pen_status write_rows(void *writer, const struct ArrowArray *batch, const struct pen_rows *where, struct pen_error *err)
{
    (void)where;
    struct stub_writer *w = writer;
    struct pen_column part = pen_column_at(batch, 0), record = pen_column_at(batch, 1);
    for (int64_t i = 0; i < batch->length; i++) {
        if (w->n == w->cap) {
            size_t cap = w->cap ? w->cap * 2 : 16;
            struct row *rows = realloc(w->rows, cap * sizeof *rows);
            if (!rows)
                return pen_fail(err, PEN_FATAL, "out of memory");
            w->rows = rows;
            w->cap = cap;
        }
        w->rows[w->n++] = (struct row){ (int)pen_column_int64(&part, i), pen_column_int64(&record, i) };
    }
    return PEN_OK;
}
static pen_status stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct stub_writer *w = writer;
    if (w_chance(w->s->w, w->s->w->faults.stage_crash)) {
        w->s->w->crash = w->s->proc;
        return pen_fail(err, PEN_FATAL, "killed");
    }
    if (w_chance(w->s->w, w->s->w->faults.retry_stage))
        return pen_fail(err, PEN_RETRY, "the folder is out of reach");
    staged->n = (w->n + 1) * sizeof *w->rows;
    staged->bytes = malloc(staged->n);
    if (!staged->bytes)
        return pen_fail(err, PEN_FATAL, "out of memory");
    memcpy(staged->bytes, &(struct row){ -1, w->s->w->staged++ }, sizeof(struct row));
    if (w->n)
        memcpy(staged->bytes + sizeof(struct row), w->rows, w->n * sizeof *w->rows);
    staged->rows = (int64_t)w->n;
    w->n = 0;
    return PEN_OK;
}
static void abandon(void *writer)
{
    ((struct stub_writer *)writer)->n = 0;
}

static int64_t name_of(const struct pen_staged *staged)
{
    struct row name;
    memcpy(&name, staged->bytes, sizeof name);
    return name.record;
}

static void note_name(int64_t **names, size_t *n, int64_t name)
{
    *names = realloc(*names, (*n + 1) * sizeof **names);
    (*names)[(*n)++] = name;
}

/* Whether any of a plan's files is among these. */
static bool has_any(const struct pen_plan *plan, const int64_t *names, size_t n)
{
    for (size_t i = 0; i < plan->n_staged; i++)
        for (size_t k = 0; k < n; k++)
            if (names[k] == name_of(&plan->staged[i]))
                return true;
    return false;
}

/* Whoever publishes it after this has lost its rows. */
static void discard(void *ctx, const struct pen_staged *staged)
{
    struct world *w = ((struct stub *)ctx)->w;
    note_name(&w->discarded, &w->n_discarded, name_of(staged));
}

/* -- the log ------------------------------------------------------------------------------------------------------------------------ */

static struct pen_position shown_of(const struct table *t, const char *key)
{
    for (size_t e = t->n; e-- > 0;)
        for (size_t i = 0; i < t->entries[e].n_moves; i++)
            if (strcmp(t->entries[e].moves[i].key, key) == 0)
                return t->entries[e].moves[i].to;
    return (struct pen_position){ 0 };
}

static pen_status shown(void *ctx, const char *prefix,
                        pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                        struct pen_error *err)
{
    const struct stub *s = ctx;
    const struct table *t = &s->w->tables[s->index];
    if (s->w->down)
        return pen_fail(err, PEN_RETRY, "the table is out of reach");
    for (size_t e = 0; e < t->n; e++)
        for (size_t i = 0; i < t->entries[e].n_moves; i++) {
            const char *key = t->entries[e].moves[i].key;
            struct pen_position now = shown_of(t, key);
            pen_status st = strncmp(key, prefix, strlen(prefix)) == 0 ? each(arg, key, &now, err) : PEN_OK;
            if (st < 0)
                return st;
        }
    return PEN_OK;
}

static pen_status beside(void *ctx, char *url, size_t size, struct pen_error *err)
{
    const struct stub *s = ctx;
    char name[32];
    snprintf(name, sizeof name, "chain%u", s->index);
    return pen_url_join(url, size, "mem://t", name, err);
}

static pen_status make_entry(const struct pen_plan *plan, struct entry *e, struct pen_error *err)
{
    size_t n = 0;
    memset(e, 0, sizeof *e);
    snprintf(e->plan, sizeof e->plan, "%s", plan->id);
    for (size_t i = 0; i < plan->n_staged; i++)
        n += plan->staged[i].n / sizeof *e->rows;
    e->rows = malloc((n + 1) * sizeof *e->rows);
    if (!e->rows || plan->n_moves > 64)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < plan->n_staged; i++) {
        memcpy(e->rows + e->n_rows, plan->staged[i].bytes, plan->staged[i].n);
        e->n_rows += plan->staged[i].n / sizeof *e->rows;
    }
    for (size_t i = 0; i < plan->n_moves; i++) {
        snprintf(e->moves[i].key, sizeof e->moves[i].key, "%s", plan->moves[i].key);
        e->moves[i].to = plan->moves[i].to;
        e->n_moves++;
    }
    return PEN_OK;
}

static bool known(const struct table *t, const char *plan)
{
    for (size_t e = t->n; e-- > 0;)
        if (strcmp(t->entries[e].plan, plan) == 0)
            return true;
    return false;
}

static pen_status killed(struct stub *s, struct pen_error *err)
{
    s->w->crash = s->proc;
    return pen_fail(err, PEN_FATAL, "killed");
}

/* The put of the next entry, with what can become of it. */
static pen_status put_entry(struct stub *s, const struct entry *e, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct world *w = s->w;
    struct table *t = &w->tables[s->index];
    int once = w->once_table == s->index ? (int)w->once : ONCE_NOTHING;
    if (once)
        w->once = ONCE_NOTHING;
    if (once == ONCE_KILL_BEFORE_PUT || w_chance(w, w->faults.crash_before))
        return killed(s, err);
    if (once == ONCE_LOST_REQUEST || w_chance(w, w->faults.unknown_not)) {
        *outcome = PEN_PUBLISH_UNKNOWN;
        return PEN_OK;
    }
    if (once == ONCE_IN_FLIGHT || once == ONCE_KILL_IN_FLIGHT || w_chance(w, w->faults.in_flight)) {
        struct table scratch = { 0 };
        w->flights = realloc(w->flights, (w->n_flights + 1) * sizeof *w->flights);
        w->flights[w->n_flights++] = (struct flight){ s->index, t->n, *w_append(&scratch, e) };
        free(scratch.entries);
        *outcome = PEN_PUBLISH_UNKNOWN;
        return once == ONCE_KILL_IN_FLIGHT || (!once && w_chance(w, 300)) ? killed(s, err) : PEN_OK;
    }
    w_append(t, e);
    if (once == ONCE_KILL_AFTER_PUT || w_chance(w, w->faults.crash_after))
        return killed(s, err);
    *outcome = once == ONCE_LOST_ANSWER || w_chance(w, w->faults.unknown_done) ? PEN_PUBLISH_UNKNOWN : PEN_PUBLISH_DONE;
    return PEN_OK;
}

static pen_status publish_log(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct stub *s = ctx;
    struct table *t = &s->w->tables[s->index];
    struct entry e;
    pen_status st;
    *outcome = t->gone ? PEN_PUBLISH_GONE : PEN_PUBLISH_UNKNOWN;
    if (s->w->down || t->gone)
        return PEN_OK;
    if (known(t, plan->id)) {
        *outcome = PEN_PUBLISH_DONE;
        return PEN_OK;
    }
    for (size_t i = 0; i < plan->n_moves; i++) {
        struct pen_position now = shown_of(t, plan->moves[i].key);
        if (pen_position_compare(&now, &plan->moves[i].base) != 0) {
            *outcome = PEN_PUBLISH_REFUSED;
            return PEN_OK;
        }
    }
    st = make_entry(plan, &e, err);
    if (st >= 0)
        st = put_entry(s, &e, outcome, err);
    w_entry_fini(&e);
    return st;
}

/* One file more in a folder than there was, or the first of a plan. */
static pen_status show(struct table *t, const struct pen_plan *plan, size_t n_staged, const char *id, struct pen_error *err)
{
    struct pen_plan part = *plan;
    struct entry e;
    part.id = id;
    part.n_staged = n_staged;
    pen_status st = make_entry(&part, &e, err);
    if (st >= 0)
        w_append(t, &e);
    w_entry_fini(&e);
    return st;
}

/* The last of a plan's files is lost while it is published; those before it can be seen already. */
static pen_status lose(struct stub *s, const struct pen_plan *plan, bool kill, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct world *w = s->w;
    note_name(&w->lost, &w->n_lost, name_of(&plan->staged[plan->n_staged - 1]));
    pen_status st = show(&w->tables[s->index], plan, plan->n_staged - 1, "a part of a plan", err);
    *outcome = PEN_PUBLISH_LOST;
    return st >= 0 && kill ? killed(s, err) : st;
}

/* A folder: staged things become visible one plan at a time, idempotently. */
static pen_status publish_folder(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct stub *s = ctx;
    struct world *w = s->w;
    struct table *t = &w->tables[s->index];
    int once = plan->n_staged && w->once_table == s->index && w->once >= ONCE_LOST_STAGED ? (int)w->once : ONCE_NOTHING;
    *outcome = w->down ? PEN_PUBLISH_UNKNOWN : PEN_PUBLISH_DONE;
    if (w->down && !plan->replay)
        return PEN_OK;
    *outcome = PEN_PUBLISH_DONE;
    if (known(t, plan->id))
        return PEN_OK;
    if (has_any(plan, w->discarded, w->n_discarded))
        return pen_fail(err, PEN_FATAL, "a file of the plan is not there, and nobody knows why");
    if (has_any(plan, w->lost, w->n_lost)) {
        *outcome = PEN_PUBLISH_LOST;
        return PEN_OK;
    }
    if (once || (plan->n_staged && w_chance(w, w->faults.lost))) {
        w->once = ONCE_NOTHING;
        return lose(s, plan, once ? once == ONCE_KILL_LOST_STAGED : w_chance(w, 500), outcome, err);
    }
    if (!plan->replay && w_chance(w, w->faults.crash_before))
        return killed(s, err);
    pen_status st = show(t, plan, plan->n_staged, plan->id, err);
    if (st >= 0 && !plan->replay && w_chance(w, w->faults.crash_after))
        return killed(s, err);
    return st;
}

/* A file that can be seen, and its rows behind it, are seen no more. */
static void hide(struct table *t, int64_t name)
{
    for (size_t e = 0; e < t->n; e++) {
        struct entry *entry = &t->entries[e];
        size_t kept = 0;
        bool ours = false;
        for (size_t i = 0; i < entry->n_rows; i++) {
            if (entry->rows[i].part < 0)
                ours = entry->rows[i].record == name;
            if (!ours)
                entry->rows[kept++] = entry->rows[i];
        }
        entry->n_rows = kept;
    }
}

static pen_status retract_folder(void *ctx, const struct pen_plan *plan, struct pen_error *err)
{
    struct stub *s = ctx;
    struct world *w = s->w;
    if (w->down_for_retract || (w->down && !plan->replay))
        return pen_fail(err, PEN_RETRY, "the folder is out of reach");
    for (size_t i = 0; i < plan->n_staged; i++) {
        if (w_chance(w, w->faults.lost))
            return killed(s, err);
        hide(&w->tables[s->index], name_of(&plan->staged[i]));
        discard(ctx, &plan->staged[i]);
    }
    return w_chance(w, w->faults.lost) ? killed(s, err) : PEN_OK;
}

#define TABLE_FUNCTIONS                                                                                                                        \
    .ctx_size = sizeof(struct stub), .start = start, .writer_open = writer_open, .writer_close = writer_close, .write = write_rows,            \
    .stage = stage, .abandon = abandon, .discard = discard
static const struct pen_sink table_sink = { TABLE_FUNCTIONS, .shown = shown, .beside = beside, .publish = publish_log };
static const struct pen_sink folder_sink = { TABLE_FUNCTIONS, .publish = publish_folder, .retract = retract_folder };
const struct pen_plugin w_table_plugin = { .abi = PEN_ABI, .name = "table", .sink = &table_sink };
const struct pen_plugin w_folder_plugin = { .abi = PEN_ABI, .name = "folder", .sink = &folder_sink };

/* -- objects ------------------------------------------------------------------------------------------------------------------------ */

static struct object *find_object(struct world *w, const char *path)
{
    for (size_t i = 0; i < w->n_objects; i++)
        if (strcmp(w->objects[i].name, path) == 0)
            return &w->objects[i];
    return NULL;
}

static pen_status mem_head(void *ctx, const char *path, struct pen_object *out, struct pen_error *err)
{
    const struct object *o = find_object(((struct stub *)ctx)->w, path);
    (void)err;
    memset(out, 0, sizeof *out);
    if (o)
        out->size = (int64_t)o->n;
    return o ? PEN_OK : PEN_SKIP;
}
static pen_status mem_read(void *ctx, const char *path, int64_t offset, void *buffer, size_t want, size_t *got, struct pen_error *err)
{
    const struct object *o = find_object(((struct stub *)ctx)->w, path);
    (void)err;
    if (!o)
        return PEN_SKIP;
    *got = (size_t)offset >= o->n ? 0 : o->n - (size_t)offset < want ? o->n - (size_t)offset : want;
    if (*got)
        memcpy(buffer, o->bytes + offset, *got);
    return PEN_OK;
}
static pen_status mem_put(void *ctx, const char *path, const void *bytes, size_t n, unsigned flags, const struct pen_pairs *metadata,
                          pen_put_outcome *outcome, struct pen_error *err)
{
    (void)metadata;
    struct stub *s = ctx;
    struct world *w = s->w;
    struct object *o = find_object(w, path);
    if (w->down)
        return pen_fail(err, PEN_RETRY, "the store is out of reach");
    if (o && (flags & PEN_PUT_IF_ABSENT) && !w->forgetful) {
        *outcome = PEN_PUT_EXISTS;
        return PEN_OK;
    }
    if (w_chance(w, w->faults.crash_before))
        return killed(s, err);
    if (!o) {
        w->objects = realloc(w->objects, (w->n_objects + 1) * sizeof *w->objects);
        o = &w->objects[w->n_objects++];
        snprintf(o->name, sizeof o->name, "%s", path);
        o->bytes = NULL;
    }
    free(o->bytes);
    o->bytes = malloc(n + 1);
    memcpy(o->bytes, bytes, n);
    o->n = n;
    if (w_chance(w, w->faults.crash_after))
        return killed(s, err);
    *outcome = w_chance(w, w->faults.put_unknown) ? PEN_PUT_UNKNOWN : PEN_PUT_DONE;
    return PEN_OK;
}
static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct object *const *)a)->name, (*(struct object *const *)b)->name);
}
static pen_status mem_list(void *ctx, const char *path, const char *after, bool recursive,
                           pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err), void *arg, struct pen_error *err)
{
    struct world *w = ((struct stub *)ctx)->w;
    size_t n = 0, skip = strlen(path) + 1;
    struct object **found = malloc((w->n_objects + 1) * sizeof *found);
    pen_status st = w->down ? pen_fail(err, PEN_RETRY, "the store is out of reach") : PEN_OK;
    for (size_t i = 0; i < w->n_objects; i++)
        if (strncmp(w->objects[i].name, path, skip - 1) == 0 && w->objects[i].name[skip - 1] == '/')
            found[n++] = &w->objects[i];
    qsort(found, n, sizeof *found, by_name);
    for (size_t i = 0; i < n && st == PEN_OK; i++) {
        struct pen_object o = { .size = (int64_t)found[i]->n };
        snprintf(o.name, sizeof o.name, "%s", found[i]->name + skip);
        if ((!after || strcmp(o.name, after) > 0) && (recursive || !strchr(o.name, '/')))
            st = each(arg, &o, err);
    }
    free(found);
    return st < 0 ? st : PEN_OK;
}
static pen_status mem_remove(void *ctx, const char *path, struct pen_error *err)
{
    struct world *w = ((struct stub *)ctx)->w;
    struct object *o = find_object(w, path);
    (void)err;
    if (o) {
        free(o->bytes);
        *o = w->objects[--w->n_objects];
    }
    return PEN_OK;
}
static pen_status mem_now(void *ctx, const char *path, int64_t *microseconds, struct pen_error *err)
{
    (void)path, (void)err;
    *microseconds = ((struct stub *)ctx)->w->wall;
    return PEN_OK;
}
const struct pen_store w_store = { .scheme = "mem", .head = mem_head, .read = mem_read, .put = mem_put, .list = mem_list, .remove = mem_remove, .now = mem_now };
