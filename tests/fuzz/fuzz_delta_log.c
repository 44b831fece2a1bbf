/* fuzz_delta_log.c - lines of a Delta log, the schema and statistics inside them, and states made of them. Everything that is read is written
 * again and read once more. Sources: this file, plugins/delta/libdelta.la, core/libpenstock.la; include paths plugins/delta, plugins/parquet.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "delta.h"
#include "stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_metadata(const struct delta_metadata *m)
{
    struct delta_arena arena = { 0 };
    struct delta_field f;
    struct ArrowSchema arrow;
    if (!delta_schema_parse(&f, &arena, m->schema)) {
        struct delta_text t = { 0 };
        struct delta_field again;
        delta_schema_write(&t, &f);
        if (!t.failed && delta_schema_parse(&again, &arena, t.p))
            abort(); /* what we write can be read */
        delta_text_fini(&t);
        if (delta_schema_to_arrow(&f, "t", &arrow, NULL) >= 0)
            pen_schema_release(&arrow);
    }
    delta_arena_fini(&arena);
}

static void look_at(const struct delta_action *a)
{
    struct delta_text t = { 0 };
    struct delta_arena arena = { 0 };
    struct delta_action again;
    if (a->kind == DELTA_METADATA) {
        look_at_metadata(&a->u.metadata);
        delta_write_metadata(&t, &a->u.metadata);
    } else if (a->kind == DELTA_PROTOCOL) {
        delta_write_protocol(&t, &a->u.protocol);
    } else if (a->kind == DELTA_TXN) {
        delta_write_txn(&t, a->u.txn.app, a->u.txn.version, 1);
    } else if (a->kind == DELTA_ADD) {
        delta_stats_rows(a->u.file.stats);
    }
    if (t.n && !t.failed && (delta_action_parse(&again, &arena, t.p, t.n) || again.kind != a->kind))
        abort();
    delta_text_fini(&t);
    delta_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct delta_state s;
    struct delta_arena arena = { 0 };
    char *text = malloc(size + 1);
    if (!text || delta_state_init(&s, "/table", NULL) < 0) {
        free(text);
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    s.want_files = true;
    for (char *p = text, *end = text + size; p < end;) {
        char *stop = memchr(p, '\n', (size_t)(end - p));
        struct delta_action a;
        if (!stop)
            stop = end;
        if (!delta_action_parse(&a, &arena, p, (size_t)(stop - p))) {
            look_at(&a);
            delta_state_apply(&s, 1, 0, &a, NULL);
        }
        p = stop + 1;
    }
    if (s.has_metadata)
        (void)delta_check_writer(&s, NULL);
    delta_interval(text, 0);
    delta_state_fini(&s);
    delta_arena_fini(&arena);
    free(text);
    return 0;
}
