/* diag.h - what is wrong with a file, collected: every problem with its place, the line, the option's documentation and a suggestion.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CONFIG_DIAG_H
#define PENSTOCK_CONFIG_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <penstock/error.h>

#include "config/arena.h"

/* The text of a file that was read (or of the --set options), kept so that lines can be quoted. */
struct pen_text_line {
    uint32_t offset, length; /* in bytes; without the line's end */
    uint32_t hide;           /* bytes of the line from here on are a secret; UINT32_MAX: none */
};
struct pen_text_file {
    const char *name;
    char *bytes;
    size_t size;
    struct pen_text_line *lines;
    size_t n_lines;
    unsigned order; /* in which the files were opened; the pipeline's own file is 0 */
};

/* file NULL: no place at all; line 0: the file as a whole. line and column count from 1, column in bytes (printed in characters). */
struct pen_place {
    struct pen_text_file *file;
    uint32_t line, column;
};

typedef enum { PEN_DIAG_ERROR, PEN_DIAG_WARNING } pen_diag_severity;

struct pen_diag {
    pen_diag_severity severity;
    struct pen_place place;
    const char *message;    /* one line, escaped */
    const char *doc;        /* what the option or section is for; NULL: nothing to say */
    const char *suggestion; /* the word that was meant, perhaps; NULL: none */
};

struct pen_diags { /* starts as { 0 } but for mem, which is not owned */
    struct pen_arena *mem;
    struct pen_diag *v;
    size_t n, errors, warnings;
    bool full;   /* more than PEN_DIAGS_MAX: the rest was left out */
    bool failed; /* memory ran out while one was added: the list is not complete */
};
#define PEN_DIAGS_MAX 200

/* Adds one; a second one of the same words at the same place is left out. doc and suggestion may be NULL and are copied. */
__attribute__((format(printf, 6, 7))) void pen_diag_add(struct pen_diags *d, pen_diag_severity severity, struct pen_place place,
                                                        const char *doc, const char *suggestion, const char *fmt, ...);
/* By file, line, column; the order of equal places is kept. */
void pen_diags_sort(struct pen_diags *d);
/* As FILE:LINE:COLUMN: error: message, the line with a caret, documentation and suggestion. Sorts first. */
void pen_diags_print(struct pen_diags *d, FILE *out);
/* The same as a JSON array (no newline behind): file, line, column, severity, message, documentation, suggestion. */
void pen_diags_print_json(struct pen_diags *d, FILE *out);

/* Of n words the one that `word` was meant to be, if any is near enough: few edits for its length; NULL otherwise. */
const char *pen_suggest(const char *word, const char *const *words, size_t n);

#endif
