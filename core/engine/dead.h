/* dead.h - dead letters: records that could not be processed, kept with the reason, committed with the positions like rows.
 *
 * They lie in PATH/PIPELINE/ANCHOR/SOURCE/PARTITION/FIRST.jsonl, an object for each plan and partition that had any; FIRST is the position of its first
 * record, so that a second process that read the same rows finds the name taken. What an object covers ends behind its last record.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_DEAD_H
#define PENSTOCK_ENGINE_DEAD_H

#include <penstock/plugin.h>

struct pen_dead;
struct pen_dead_writer;

struct pen_dead_letter {
    const char *stage;               /* where it was refused */
    const char *source;
    const char *partition;
    const char *key;                 /* the partition's key in this sink */
    struct pen_position position;    /* of the record */
    const char *reason;
    const void *record;              /* NULL: none at hand */
    size_t record_size;              /* bytes at hand */
    size_t record_length;            /* of the whole record; more than record_size when it was cut */
};

/* path: folder or URL. fsync false: as PEN_PUT_NO_FSYNC. */
pen_status pen_dead_new(struct pen_dead **out, const struct pen_host *host, const char *path, bool fsync, struct pen_error *err);
void pen_dead_free(struct pen_dead **d);
/* The dead letters' sink: publish(), writers and the rest; ctx is the struct pen_dead. */
extern const struct pen_sink pen_dead_sink;
/* Lane: adds one to its writer. */
pen_status pen_dead_add(struct pen_dead_writer *w, const struct pen_dead_letter *letter, struct pen_error *err);
/* The line that a letter is, with its newline, added to t. */
void pen_dead_line(struct pen_text *t, const struct pen_dead_letter *letter, const struct pen_host *host);
/* Lane: of how many partitions the writer holds letters. */
size_t pen_dead_partitions(const struct pen_dead_writer *w);
/* Where dead letters of the partition with this key end, looking from `from` on; n = 0: there are none from there. Control. */
pen_status pen_dead_shown(struct pen_dead *d, const char *key, const struct pen_position *from, struct pen_position *out,
                          struct pen_error *err);

#endif
