/* lossy_disk.h - a disk that loses power. It stands behind io.h: it knows which bytes and which names have been synced, and at each call builds, by chance,
 * a folder as the disk may hold it then: what was synced for certain, of the rest some sectors, some lengths and some names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_JOURNAL_LOSSY_DISK_H
#define PENSTOCK_TESTS_JOURNAL_LOSSY_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define LOSSES 1500u /* at most */

struct loss {
    char path[320];                     /* of what the disk held then */
    uint64_t acknowledged, seen, begun; /* rows, as the test has it in `now` */
    unsigned times;                     /* that power has been lost */
};
extern struct loss loss[LOSSES];
extern unsigned losses;
extern struct loss now;

extern uint64_t seed;
uint64_t chance(uint64_t n);
/* All that a journal's folder holds is on the disk now, and from here on what is synced is noted, while `tracking`. */
void begin_tracking(const char *path);
extern bool tracking;
extern bool killed; /* what the process does now it does not live to do */
extern unsigned kill_at_sync; /* at which of the next syncs, from 1, it is killed; 0: at none */
/* Power may be lost here. */
void lose_power(void);

#endif
