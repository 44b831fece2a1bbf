/* replay.h - records at the pace of a time in them. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_FILE_REPLAY_H
#define PENSTOCK_FILE_REPLAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shared by the readers of a source. */
struct replay {
    const char *column; /* a name at the top of each record */
    double speed;       /* 2: twice as fast as it was */
    pthread_mutex_t lock;
    bool begun;
    int64_t first, at;  /* the first record's time, and when it was given; microseconds */
};

/* When this record (a JSON object) is due, by pen_now(). The first one is due at once, and so is one that has no time. */
int64_t replay_due(struct replay *r, const char *json, size_t n, int64_t now);

#endif
