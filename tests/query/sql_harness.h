/* sql_harness.h - asks SQL and gives the answer as one text: cells parted by '|', rows by a newline, null as NULL; an error as "E:" and its words.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_SQL_HARNESS_H
#define PENSTOCK_TESTS_SQL_HARNESS_H

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "../tap.h"
#include "data/sql.h"

static char answer[65536];

static inline void add_answer(const char *text, size_t n)
{
    size_t at = strlen(answer);
    if (at + n < sizeof answer) {
        memcpy(answer + at, text, n);
        answer[at + n] = '\0';
    }
}

static inline const char *ask(struct pen_sql *sql, const char *text)
{
    struct pen_error err = { 0 };
    sqlite3_stmt *stmt = NULL;
    const char *rest;
    pen_status st = pen_sql_prepare(sql, text, &stmt, &rest, &err);
    answer[0] = '\0';
    while (st == PEN_OK && (st = pen_sql_step(sql, stmt, &err)) == PEN_OK) {
        if (answer[0])
            add_answer("\n", 1);
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *cell = (const char *)sqlite3_column_text(stmt, i);
            if (i)
                add_answer("|", 1);
            add_answer(cell ? cell : "NULL", cell ? (size_t)sqlite3_column_bytes(stmt, i) : 4);
        }
    }
    pen_sql_finish(sql, &stmt);
    if (st < 0)
        snprintf(answer, sizeof answer, "E%d:%s", (int)st, err.msg);
    return answer;
}

struct asked {
    const char *sql, *want;
};

static inline void ask_all(struct pen_sql *sql, const struct asked *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = ask(sql, cases[i].sql);
        if (!ok(!strcmp(got, cases[i].want), "%s", cases[i].sql))
            printf("# got  %s\n# want %s\n", got, cases[i].want);
    }
}

#endif
