/* cases.h - the named runs: each case of doc/commits.md that the model can play. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_MODEL_CASES_H
#define PENSTOCK_TESTS_MODEL_CASES_H

/* Plays them all, an ok() each. */
void play_cases(void);

#endif
