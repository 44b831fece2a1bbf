/* driver.c - see driver.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config/option.h"
#include "driver.h"

/* -- counters ----------------------------------------------------------------------------------------------------------------- */

static struct {
    char name[64], label[64];
    int64_t n;
} counters[64];
static size_t n_counters;

static int64_t *counter(const char *name, const char *label)
{
    size_t i = 0;
    while (i < n_counters && (strcmp(counters[i].name, name) != 0 || strcmp(counters[i].label, label) != 0))
        i++;
    if (i == n_counters) {
        if (n_counters == sizeof counters / sizeof *counters)
            abort();
        snprintf(counters[i].name, sizeof counters[i].name, "%s", name);
        snprintf(counters[i].label, sizeof counters[i].label, "%s", label);
        n_counters++;
    }
    return &counters[i].n;
}

void pen_count(const struct pen_host *host, const char *name, const char *label, int64_t n)
{
    (void)host;
    *counter(name, label ? label : "") += n;
}

int64_t driver_counted(const char *name, const char *label)
{
    int64_t *n = counter(name, label), was = *n;
    *n = 0;
    return was;
}

/* -- running ------------------------------------------------------------------------------------------------------------------ */

static void must(pen_status st, const struct pen_error *err)
{
    if (st >= 0)
        return;
    printf("Bail out! %s\n", err->msg);
    exit(1);
}

static void set_option(struct driver *d, const char *name, const char *text)
{
    struct pen_error err = { 0 };
    const struct pen_option *o = pen_option_find(d->transform->options, name);
    if (!o) {
        printf("Bail out! there is no option %s\n", name);
        exit(1);
    }
    must(pen_option_parse(o, text, d->ctx, &d->memory, NULL, &err), &err);
}

void driver_open(struct driver *d, const struct pen_plugin *plugin, const char *const *options, const struct ArrowSchema *typed)
{
    struct pen_error err = { 0 };
    const struct ArrowSchema none = { .release = NULL };
    memset(d, 0, sizeof *d);
    d->transform = plugin->transform;
    d->ctx = calloc(1, d->transform->ctx_size);
    if (!d->ctx)
        abort();
    must(pen_option_defaults(d->transform->options, d->ctx, &d->memory, &err), &err);
    for (; options && options[0]; options += 2)
        set_option(d, options[0], options[1]);
    must(d->transform->start(d->ctx, NULL, &err), &err);
    must(d->transform->want(d->ctx, typed ? typed : &none, &d->want, &err), &err);
    if (!typed) {
        const struct ArrowSchema *want = &d->want;
        must(pen_intake_new(&d->intake, &want, 1, (size_t)16 << 20, &err), &err);
    }
    must(d->transform->prepare(d->ctx, typed ? typed : &d->want, &d->out, &err), &err);
    must(pen_schema_check(&d->out, &err), &err);
}

void driver_close(struct driver *d)
{
    d->transform->stop(d->ctx);
    free(d->ctx);
    pen_arena_fini(&d->memory);
    pen_schema_release(&d->want);
    pen_schema_release(&d->out);
    pen_intake_free(&d->intake);
    pen_rejects_fini(&d->rejects);
}

pen_status driver_batch(struct driver *d, const struct ArrowArray *in, struct ArrowArray *out, struct pen_error *err)
{
    pen_status st;
    out->release = NULL;
    pen_rejects_reset(&d->rejects);
    st = d->transform->apply(d->ctx, in, out, &d->rejects, err);
    if (st >= 0)
        st = pen_array_check(&d->out, out, err);
    if (st < 0)
        pen_array_release(out);
    return st;
}

pen_status driver_lines(struct driver *d, const char *lines, size_t n, struct ArrowArray *out, size_t *rejected, struct pen_error *err)
{
    struct ArrowArray in = { .release = NULL };
    size_t refused, taken;
    pen_status st;
    out->release = NULL;
    pen_intake_begin(d->intake);
    taken = pen_intake_lines(d->intake, lines, n, true, 0, INT64_MAX);
    st = pen_intake_finish(d->intake, &in, err);
    if (st < 0)
        return st;
    pen_intake_rejected(d->intake, &refused);
    if (rejected)
        *rejected = refused;
    st = taken == n ? driver_batch(d, &in, out, err) : pen_fail(err, PEN_FATAL, "the intake took %zu of %zu bytes", taken, n);
    pen_array_release(&in);
    return st;
}

/* -- showing ------------------------------------------------------------------------------------------------------------------ */

/* The shortest text that gives this double again. */
static void show_double(char *buf, size_t size, double v)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, size, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            return;
    }
}

static void show_list(const struct pen_column *c, int64_t row, char *buf, size_t size)
{
    const int32_t *o = c->offsets + c->offset + row;
    struct pen_column items = pen_column_of(c->array->children[0]);
    size_t n = (size_t)snprintf(buf, size, "[");
    for (int32_t i = o[0]; i < o[1] && n < size; i++) {
        char number[40];
        show_double(number, sizeof number, pen_column_float64(&items, i));
        n += (size_t)snprintf(buf + n, size - n, "%s%s", i > o[0] ? ", " : "", number);
    }
    if (n < size)
        snprintf(buf + n, size - n, "]");
}

const char *driver_show(const struct driver *d, const struct ArrowArray *batch, const char *column, int64_t row, char *buf, size_t size)
{
    int64_t i = pen_schema_find(&d->out, column);
    struct pen_column c;
    size_t n;
    const char *text;
    if (i < 0)
        return "no such column";
    c = pen_column_at(batch, i);
    if (pen_column_is_null(&c, row))
        return "null";
    switch (pen_schema_type(d->out.children[i])) {
    case PEN_TYPE_INT32:
        snprintf(buf, size, "%d", pen_column_int32(&c, row));
        break;
    case PEN_TYPE_TIMESTAMP:
        snprintf(buf, size, "%lld", (long long)pen_column_int64(&c, row));
        break;
    case PEN_TYPE_LIST:
        show_list(&c, row, buf, size);
        break;
    default:
        text = pen_column_bytes(&c, row, &n);
        snprintf(buf, size, "%.*s", (int)n, text);
    }
    return buf;
}

static void print_text(const char *text, size_t n, FILE *to)
{
    fputc('"', to);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20)
            fprintf(to, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

void driver_print_row(const struct driver *d, const struct ArrowArray *batch, int64_t row, FILE *to)
{
    for (int64_t i = 0; i < d->out.n_children; i++) {
        struct pen_column c = pen_column_at(batch, i);
        char buf[128];
        size_t n;
        fprintf(to, "%s\"%s\":", i ? "," : "{", d->out.children[i]->name);
        if (pen_schema_type(d->out.children[i]) != PEN_TYPE_UTF8 || pen_column_is_null(&c, row)) {
            fputs(driver_show(d, batch, d->out.children[i]->name, row, buf, sizeof buf), to);
            continue;
        }
        const char *text = pen_column_bytes(&c, row, &n);
        print_text(text, n, to);
    }
    fputs("}\n", to);
}
