/* driver.c - see driver.h. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "driver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "config/option.h"

/* -- an intake that keeps what it is fed ------------------------------------------------------------------------------------------- */

struct pen_intake {
    struct drive *drive;
    int64_t rows;
    size_t bytes;
};

static void keep(struct pen_intake *in, char kind, const void *bytes, size_t n, uint64_t length, uint64_t position)
{
    struct drive *d = in->drive;
    if ((d->n_fed & (d->n_fed - 1)) == 0)
        d->fed = realloc(d->fed, (d->n_fed ? 2 * d->n_fed : 1) * sizeof *d->fed);
    d->fed[d->n_fed++] = (struct fed){ .position = position, .text = strndup(bytes, n), .length = length, .kind = kind, .at = d->now };
    in->rows++;
    in->bytes += n;
}

size_t pen_intake_lines(struct pen_intake *in, const char *bytes, size_t n, bool at_end, uint64_t position, int64_t max_rows)
{
    size_t at = 0;
    for (int64_t rows = 0; at < n && rows < max_rows;) {
        const char *newline = memchr(bytes + at, '\n', n - at);
        if (!newline && !at_end)
            break;
        size_t length = newline ? (size_t)(newline - bytes) - at : n - at, shown = length;
        if (shown && bytes[at + shown - 1] == '\r')
            shown--;
        if (shown) {
            keep(in, 'm', bytes + at, shown, shown, position + at);
            rows++;
        }
        at += length + (newline != NULL);
    }
    return at;
}
void pen_intake_message(struct pen_intake *in, const struct pen_message *m)
{
    keep(in, 'm', m->value, m->value_size, m->value_size, m->position);
}
void pen_intake_overlong(struct pen_intake *in, const char *first, size_t n, uint64_t length, uint64_t position)
{
    keep(in, 'o', first, n, length, position);
}
void pen_intake_reject(struct pen_intake *in, const void *bytes, size_t n, uint64_t position, const char *fmt, ...)
{
    char reason[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    (void)bytes;
    keep(in, 'r', reason, strlen(reason), n, position);
}
int64_t pen_intake_rows(const struct pen_intake *in)
{
    return in->rows;
}
size_t pen_intake_bytes(const struct pen_intake *in)
{
    return in->bytes;
}
size_t pen_intake_max_record(const struct pen_intake *in)
{
    return in->drive->max_record;
}

/* Log lines are TAP comments. */
void pen_log(const struct pen_host *host, pen_log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("# log %d (%s): ", (int)level, host->stage);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
}

/* -- the engine's part --------------------------------------------------------------------------------------------------------------- */

static int64_t clock_now(void *arg)
{
    return ((struct drive *)arg)->now;
}

static struct pen_arena mem; /* of options' texts, for the whole test */

void drive_init(struct drive *d, const struct pen_source *type)
{
    struct drive before = *d;
    memset(d, 0, sizeof *d);
    d->memory = before.memory;
    d->n_memory = before.n_memory;
    d->fed = before.fed;
    d->n_fed = d->n_committed = before.n_fed;
    d->type = type;
    d->lanes = 1;
    d->max_rows = 1000;
    d->max_bytes = 1 << 20;
    d->max_record = 16 << 20;
    d->now = before.now > 0 ? before.now : 1000000;
    d->clock = (struct pen_clock){ clock_now, clock_now, NULL };
    d->run.pipeline = "test";
    d->run.state_path = ".";
    d->run.lanes = LANES;
    d->run.wake_fd = -1;
    d->ctx = calloc(1, type->ctx_size);
    if (pen_option_defaults(type->options, d->ctx, &mem, &d->error) < 0)
        printf("Bail out! %s\n", d->error.msg);
}

pen_status drive_start(struct drive *d)
{
    d->clock.arg = d;
    d->run.clock = &d->clock;
    d->host = (struct pen_host){ .run = &d->run, .stage = "in" };
    pen_status status = d->type->start(d->ctx, &d->host, &d->error);
    for (size_t i = 0; status == PEN_OK && i < d->n_memory; i++)
        status = d->type->recall(d->ctx, d->memory[i].name, d->memory[i].incarnation, &d->memory[i].pos, &d->error);
    for (unsigned i = 0; status == PEN_OK && i < d->lanes; i++)
        status = d->type->reader_open(d->ctx, i, &d->readers[i], &d->error);
    return status;
}

static pen_status assigned(struct drive *d, const struct pen_partition_event *e)
{
    struct pen_position pos = { 0 };
    bool known = false;
    pen_status status = PEN_OK;
    for (size_t i = 0; i < d->n_memory; i++)
        if (strcmp(d->memory[i].name, e->name) == 0 && strcmp(d->memory[i].incarnation, e->incarnation) == 0) {
            pos = d->memory[i].pos;
            known = true;
        }
    d->parts = realloc(d->parts, (d->n_parts + 1) * sizeof *d->parts);
    struct part *p = &d->parts[d->n_parts++];
    *p = (struct part){ e->id, strdup(e->name), strdup(e->incarnation), pos, false };
    if (!known)
        status = d->type->beginning(d->ctx, p->id, d->n_memory == 0, &pos, &d->error);
    if (status >= PEN_OK)
        status = d->type->start_partition(d->ctx, p->id, &pos, &d->error);
    p->at = pos;
    return status == PEN_OK ? d->type->reader_add(d->readers[p->id % d->lanes], p->id, &pos, &d->error) : status;
}

static pen_status read_once(struct drive *d, void *reader, bool *worked)
{
    struct pen_intake in = { d, 0, 0 }, *ins[3] = { &in, &in, &in };
    size_t first = d->n_fed;
    struct pen_read r = { .max_rows = d->max_rows, .max_bytes = d->max_bytes, .intakes = ins };
    pen_status status = d->type->read(reader, &r, &d->error);
    *worked = status == PEN_OK;
    if (status != PEN_OK)
        return status == PEN_SKIP ? PEN_OK : status;
    for (size_t i = first; i < d->n_fed; i++)
        d->fed[i].partition = r.partition;
    for (size_t i = 0; i < d->n_parts; i++) {
        struct part *p = &d->parts[i];
        if (p->id != r.partition)
            continue;
        if (pen_position_compare(&p->at, &r.from) != 0 || pen_position_compare(&r.from, &r.to) > 0)
            return pen_fail(&d->error, PEN_FATAL, "%s: from %llu is not where the last read ended, %llu", p->name, (unsigned long long)r.from.w[0],
                            (unsigned long long)p->at.w[0]);
        p->at = r.to;
        p->ended |= r.end;
        return PEN_OK;
    }
    return pen_fail(&d->error, PEN_FATAL, "partition %u was never assigned", r.partition);
}

pen_status drive_run(struct drive *d)
{
    for (bool worked = true; worked;) {
        pen_status status;
        worked = false;
        for (;;) {
            struct pen_partition_event e;
            status = d->type->next_event(d->ctx, &e, &d->error);
            if (status == PEN_SKIP)
                break;
            if (status == PEN_OK && e.kind == PEN_PARTITION_ASSIGNED)
                status = assigned(d, &e);
            else if (status == PEN_OK)
                d->no_more = e.kind == PEN_PARTITION_NO_MORE;
            if (status < 0)
                return status;
        }
        for (unsigned i = 0; i < d->lanes; i++) {
            bool one;
            if ((status = read_once(d, d->readers[i], &one)) < 0)
                return status;
            worked |= one;
        }
        if (d->one_read)
            break;
    }
    for (size_t i = 0; i < d->n_parts; i++)
        if (!d->parts[i].ended)
            return PEN_SKIP;
    return d->no_more ? PEN_OK : PEN_SKIP;
}

pen_status drive_until(struct drive *d, int64_t until)
{
    for (;;) {
        pen_status status = drive_run(d);
        int64_t wake = until;
        for (unsigned i = 0; i < d->lanes; i++)
            if (d->type->wake_at(d->readers[i]) < wake)
                wake = d->type->wake_at(d->readers[i]);
        if (status != PEN_SKIP || d->now >= until)
            return status;
        d->now = wake > d->now ? wake : d->now + 1;
    }
}

void drive_commit(struct drive *d)
{
    for (size_t i = 0; i < d->n_parts; i++) {
        size_t k = 0;
        while (k < d->n_memory && (strcmp(d->memory[k].name, d->parts[i].name) != 0 || strcmp(d->memory[k].incarnation, d->parts[i].incarnation) != 0))
            k++;
        if (k == d->n_memory) {
            d->memory = realloc(d->memory, ++d->n_memory * sizeof *d->memory);
            d->memory[k] = (struct memory){ strdup(d->parts[i].name), strdup(d->parts[i].incarnation), { 0 } };
        }
        d->memory[k].pos = d->parts[i].at;
    }
    d->n_committed = d->n_fed;
}

void drive_stop(struct drive *d)
{
    for (unsigned i = 0; i < d->lanes; i++)
        if (d->readers[i])
            d->type->reader_close(d->readers[i]);
    d->type->stop(d->ctx);
    for (size_t i = 0; i < d->n_parts; i++) {
        free(d->parts[i].name);
        free(d->parts[i].incarnation);
    }
    free(d->parts);
    free(d->ctx);
    d->parts = NULL;
    d->ctx = NULL;
    while (d->n_fed > d->n_committed)
        free(d->fed[--d->n_fed].text);
}

void drive_free(struct drive *d)
{
    for (size_t i = 0; i < d->n_fed; i++)
        free(d->fed[i].text);
    for (size_t i = 0; i < d->n_memory; i++) {
        free(d->memory[i].name);
        free(d->memory[i].incarnation);
    }
    free(d->fed);
    free(d->memory);
    memset(d, 0, sizeof *d);
    pen_arena_fini(&mem);
}
