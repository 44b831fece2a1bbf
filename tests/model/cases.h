/* cases.h - the named runs: each case of doc/commits.md that the model can play. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_MODEL_CASES_H
#define PENSTOCK_TESTS_MODEL_CASES_H

/* why: what went wrong, or "". */
typedef void (*case_report)(const char *name, const char *why);

/* Plays them all, a report each. */
void play_cases(case_report report);

#endif
