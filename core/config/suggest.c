/* suggest.c - "did you mean": the nearest of the words that would have been right. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "config/diag.h"

#define WORD_MAX 48

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Edits from a to b: a character put in, left out or replaced, two neighbours swapped (optimal string alignment). Case does not count. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *free_row = before;
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = above;
        above = row;
        row = free_row;
    }
    return above[nb];
}

/* Is `word` one of the parts of a longer name, as `interval` is of `commit_interval`? */
static bool is_part(const char *word, size_t n, const char *name, size_t name_n)
{
    if (n < 4 || name_n < n + 2)
        return false;
    return (strncasecmp(name, word, n) == 0 && name[n] == '_') ||
           (strncasecmp(name + name_n - n, word, n) == 0 && name[name_n - n - 1] == '_');
}

const char *pen_suggest(const char *word, const char *const *words, size_t n)
{
    size_t word_n = strlen(word);
    unsigned best = word_n <= 4 ? 2 : (unsigned)(word_n / 3) + 1; /* one more than the most that are taken */
    const char *found = NULL;
    if (word_n == 0 || word_n > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(words[i]);
        unsigned d;
        if (len > WORD_MAX || (len > word_n ? len - word_n : word_n - len) >= best)
            continue;
        d = distance(word, word_n, words[i], len);
        if (d < best && d < len) {
            best = d;
            found = words[i];
        }
    }
    for (size_t i = 0; !found && i < n; i++)
        if (is_part(word, word_n, words[i], strlen(words[i])))
            found = words[i];
    return found;
}
