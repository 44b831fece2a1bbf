/* words.c - see words.h. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/state.h"
#include "engine/words.h"

char *pen_words_format(char *buf, const struct pen_position *pos)
{
    size_t at = 0;
    buf[0] = '\0';
    for (uint32_t i = 0; i < pos->n && i < 4; i++)
        at += (size_t)snprintf(buf + at, PEN_WORDS_TEXT - at, "%s%" PRIu64, i ? "." : "", pos->w[i]);
    return buf;
}

bool pen_words_parse(const char *text, struct pen_position *pos)
{
    memset(pos, 0, sizeof *pos);
    while (text && *text >= '0' && *text <= '9' && pos->n < 4) {
        char *end;
        errno = 0;
        pos->w[pos->n] = strtoull(text, &end, 10);
        if (errno)
            return false;
        pos->n++;
        if (!*end)
            return true;
        if (*end != '.')
            return false;
        text = end + 1;
    }
    return false;
}

/* -- plans: counts, then each move (key, base, to), then each staged block --------------------------------------------------------- */

struct packer {
    char *bytes; /* NULL: only counting */
    size_t n;
};
static void pack(struct packer *p, const void *bytes, size_t n)
{
    if (p->bytes && n)
        memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
}
static void pack_block(struct packer *p, const void *bytes, size_t n)
{
    uint64_t size = n;
    pack(p, &size, sizeof size);
    pack(p, bytes, n);
}
static void pack_plan(struct packer *p, const struct pen_plan *plan)
{
    uint64_t counts[2] = { plan->n_moves, plan->n_staged };
    pack(p, counts, sizeof counts);
    for (size_t i = 0; i < plan->n_moves; i++) {
        pack_block(p, plan->moves[i].key, strlen(plan->moves[i].key));
        pack(p, &plan->moves[i].base, sizeof plan->moves[i].base);
        pack(p, &plan->moves[i].to, sizeof plan->moves[i].to);
    }
    for (size_t i = 0; i < plan->n_staged; i++)
        pack_block(p, plan->staged[i].bytes, plan->staged[i].n);
}

pen_status pen_plan_pack(const struct pen_plan *plan, void **out, size_t *n, struct pen_error *err)
{
    struct packer p = { NULL, 0 };
    pack_plan(&p, plan);
    *n = p.n;
    *out = p.bytes = malloc(p.n);
    if (!p.bytes)
        return pen_fail(err, PEN_FATAL, "out of memory");
    p.n = 0;
    pack_plan(&p, plan);
    return PEN_OK;
}

struct unpacker {
    const char *at;
    size_t left;
};
static bool unpack(struct unpacker *u, void *out, size_t n)
{
    if (n > u->left)
        return false;
    memcpy(out, u->at, n);
    u->at += n;
    u->left -= n;
    return true;
}
static char *unpack_block(struct unpacker *u, size_t *n)
{
    uint64_t size;
    char *out;
    if (!unpack(u, &size, sizeof size) || size > u->left || !(out = malloc((size_t)size + 1)))
        return NULL;
    unpack(u, out, (size_t)size);
    out[size] = '\0';
    *n = (size_t)size;
    return out;
}

static bool unpack_plan(struct unpacker *u, struct pen_plan *plan)
{
    uint64_t counts[2];
    struct pen_move *moves;
    struct pen_staged *staged;
    size_t n;
    if (!unpack(u, counts, sizeof counts) || counts[0] > u->left || counts[1] > u->left)
        return false;
    plan->moves = moves = calloc((size_t)counts[0] + 1, sizeof *moves);
    plan->staged = staged = calloc((size_t)counts[1] + 1, sizeof *staged);
    if (!moves || !staged)
        return false;
    for (; plan->n_moves < counts[0]; plan->n_moves++) {
        struct pen_move *m = &moves[plan->n_moves];
        if (!(m->key = unpack_block(u, &n)))
            return false;
        if (!unpack(u, &m->base, sizeof m->base) || !unpack(u, &m->to, sizeof m->to)) {
            plan->n_moves++;
            return false;
        }
    }
    for (; plan->n_staged < counts[1]; plan->n_staged++)
        if (!(staged[plan->n_staged].bytes = unpack_block(u, &staged[plan->n_staged].n)))
            return false;
    return true;
}

pen_status pen_plan_unpack(const char *id, const void *bytes, size_t n, struct pen_plan **out, struct pen_error *err)
{
    struct unpacker u = { bytes, n };
    struct pen_plan *plan = calloc(1, sizeof *plan);
    *out = plan;
    if (plan && (plan->id = strdup(id)) && unpack_plan(&u, plan))
        return PEN_OK;
    pen_plan_free(out);
    return pen_fail(err, PEN_FATAL, "the plan %s that `state` holds is damaged", id);
}

void pen_plan_free(struct pen_plan **p)
{
    struct pen_plan *plan = *p;
    if (!plan)
        return;
    for (size_t i = 0; i < plan->n_moves; i++)
        free((char *)(uintptr_t)plan->moves[i].key);
    for (size_t i = 0; i < plan->n_staged; i++)
        free(plan->staged[i].bytes);
    free((void *)(uintptr_t)plan->moves);
    free((void *)(uintptr_t)plan->staged);
    free((char *)(uintptr_t)plan->id);
    free(plan);
    *p = NULL;
}
