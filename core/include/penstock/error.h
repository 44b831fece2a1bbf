/* error.h - verdicts for the engine, one-line messages for the operator.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ERROR_H
#define PENSTOCK_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* What the caller is to do; the engine never reads a message. Values >= 0 mean that it went well. */
typedef enum {
    PEN_OK = 0,
    PEN_SKIP = 1,     /* nothing this time: no event, no rows yet, batch left out */
    PEN_RETRY = -1,   /* may work later: back off, call again */
    PEN_BADDATA = -2, /* the data at hand cannot be processed. Records have their own ways to be refused one by one (pen_reject(), an intake); where a
                         function answers this all the same, the run stops: status 1 */
    PEN_BADCONF = -3, /* the file or the command line is wrong: exit status 2 */
    PEN_FATAL = -4    /* stop the run: exit status 1 */
} pen_status;

/* Lives on the caller's stack; start it as { 0 } (PEN_OK, no message). */
struct pen_error {
    pen_status code;
    char msg[512]; /* one line of UTF-8, no newline; cut if longer */
};

/* Fills *err unless it is NULL or already filled (the first message is nearest the cause); returns code. Bytes that would break a
 * line or a terminal are escaped. Any thread. */
__attribute__((format(printf, 3, 4))) pen_status pen_fail(struct pen_error *err, pen_status code, const char *fmt, ...);

#ifdef __cplusplus
}
#endif
#endif
