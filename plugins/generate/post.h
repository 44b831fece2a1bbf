/* post.h - one post as a producer sends it: the pin, its place and its user, each a function of seed and index alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_GENERATE_POST_H
#define PENSTOCK_GENERATE_POST_H

#include <stddef.h>
#include <stdint.h>

typedef enum { POST_PIN, POST_GEO, POST_USER } post_kind;

#define POST_MAX 4096 /* bytes of the longest record */

/* Writes the record of this kind, one JSON object without a newline, to out, which holds POST_MAX bytes; returns its length. Of `dirty`, the
 * share of records (0 to 1) that are broken, each in one of six ways. Any thread. */
size_t post_write(char *out, post_kind kind, uint64_t seed, uint64_t index, double dirty);

/* -- words.c: short texts, in slots that can be copied at once ------------------------------------------------------------------------ */

struct word {
    uint8_t n;
    char s[23]; /* as it stands between the quotes of a JSON string, in ASCII */
};
struct words {
    const struct word *v;
    uint32_t n;
};
#define POST_CATEGORIES 13
extern const struct words words_plain, words_odd, words_first_names, words_last_names, words_sites;
extern const struct words words_of_category[POST_CATEGORIES];
extern const char *const words_categories[POST_CATEGORIES];
extern const char *const words_countries[];
extern const uint32_t words_n_countries;

#endif
