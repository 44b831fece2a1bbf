/* post.c - what a post holds. Shares and shapes are those of the rows that real producers sent (posts, places and users of the Pinterest project);
 * the words are ours. Speed matters here, so text is copied in slots of a fixed size and nothing is formatted by printf.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "post.h"

#include <stdbool.h>
#include <string.h>

struct random {
    uint64_t state;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
static uint64_t next(struct random *r)
{
    return mix(r->state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
}
static uint32_t below(struct random *r, uint32_t n)
{
    return (uint32_t)(((next(r) >> 32) * n) >> 32);
}
static bool chance(struct random *r, double share)
{
    return (double)(next(r) >> 11) < share * 9007199254740992.0;
}
static struct random stream(uint64_t seed, uint64_t index, uint64_t which)
{
    return (struct random){ mix(mix(seed ^ UINT64_C(0x5851f42d4c957f2d)) + index * 4 + which) };
}

/* -- text --------------------------------------------------------------------------------------------------------------------------- */

#define PUT(p, literal) (memcpy(p, literal, sizeof(literal) - 1), (p) + sizeof(literal) - 1)

static char *put_text(char *p, const char *s)
{
    size_t n = strlen(s);
    memcpy(p, s, n);
    return p + n;
}
static char *put_word(char *p, const struct word *w)
{
    memcpy(p, w->s, sizeof w->s);
    return p + w->n;
}
static char *put_any(char *p, struct random *r, const struct words *list)
{
    return put_word(p, &list->v[below(r, list->n)]);
}
static char *put_number(char *p, uint64_t v)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *p++ = digits[--n];
    return p;
}
static char *put_two(char *p, uint32_t v)
{
    p[0] = (char)('0' + v / 10 % 10);
    p[1] = (char)('0' + v % 10);
    return p + 2;
}
static char *put_hex(char *p, uint64_t v, int digits)
{
    for (int i = digits; i-- > 0; v >>= 4)
        p[i] = "0123456789abcdef"[v & 15];
    return p + digits;
}
/* v ten-thousandths as a decimal, no more zeros than it needs. */
static char *put_decimal(char *p, int64_t v)
{
    uint64_t u = (uint64_t)(v < 0 ? -v : v);
    if (v < 0)
        *p++ = '-';
    p = put_number(p, u / 10000);
    *p++ = '.';
    p = put_two(put_two(p, (uint32_t)(u % 10000 / 100)), (uint32_t)(u % 100));
    while (p[-1] == '0' && p[-2] != '.')
        p--;
    return p;
}

/* A time, with T or a space, seconds since 1970. */
static char *put_time(char *p, uint64_t seconds, char between)
{
    uint32_t days = (uint32_t)(seconds / 86400), s = (uint32_t)(seconds % 86400);
    uint32_t year = 1970, month = 0;
    static const uint8_t length[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = false;
    for (;; year++) { /* some fifty steps at most: the years of posts */
        leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (days < 365u + leap)
            break;
        days -= 365u + leap;
    }
    for (;; month++) {
        uint32_t n = length[month] + (uint32_t)(month == 1 && leap);
        if (days < n)
            break;
        days -= n;
    }
    p = put_two(put_two(p, year / 100), year % 100);
    *p++ = '-';
    p = put_two(p, month + 1);
    *p++ = '-';
    p = put_two(p, days + 1);
    *p++ = between;
    p = put_two(p, s / 3600);
    *p++ = ':';
    p = put_two(p, s / 60 % 60);
    *p++ = ':';
    return put_two(p, s % 60);
}

/* -- the pin --------------------------------------------------------------------------------------------------------------------------- */

static char *put_title(char *p, struct random *r, const struct words *subject)
{
    uint32_t n = 4 + below(r, 8);
    if (below(r, 5) == 0) {
        p = put_number(p, 3 + below(r, 60));
        *p++ = ' ';
    }
    for (uint32_t i = 0; i < n; i++) {
        char *begin = p;
        if (i % 3 == 1)
            p = put_any(p, r, subject);
        else
            p = put_any(p, r, &words_plain);
        if (*begin >= 'a' && *begin <= 'z')
            *begin = (char)(*begin - 32);
        *p++ = ' ';
    }
    if (below(r, 10) == 0) /* characters outside ASCII, quotes, line breaks, tags */
        return put_any(p, r, &words_odd);
    return p - 1;
}

static char *put_description(char *p, struct random *r, const struct words *subject)
{
    uint32_t length = 40 + below(r, 220);
    bool cut = length >= 166;
    char *end = p + (cut ? 174 : length);
    for (uint32_t i = 0; p < end; i++) {
        if (i % 8 == 3)
            p = put_any(p, r, subject);
        else
            p = put_any(p, r, &words_plain);
        uint32_t what = below(r, 64);
        if (what < 3)
            *p++ = ',';
        else if (what == 3)
            *p++ = '.';
        *p++ = ' ';
        if (what == 5) {
            p = put_any(p, r, &words_odd);
            *p++ = ' ';
        }
    }
    p--;
    if (cut)
        p = PUT(p, "\\u2026\\u00a0");
    return p;
}

static char *put_tags(char *p, struct random *r, const struct words *subject)
{
    uint32_t n = below(r, 60) ? 9 : 1 + below(r, 8);
    for (uint32_t i = 0; i < n; i++) {
        char *begin = p;
        p = put_any(p, r, below(r, 3) ? &words_plain : subject);
        if (*begin >= 'a' && *begin <= 'z')
            *begin = (char)(*begin - 32);
        *p++ = ' ';
        p = put_any(p, r, subject);
        *p++ = ',';
    }
    return p - 1;
}

static char *put_poster(char *p, struct random *r, const struct words *subject)
{
    uint32_t shape = below(r, 64);
    if (shape == 0)
        *p++ = ' ';
    p = put_any(p, r, &words_first_names);
    if (shape < 12) {
        p = PUT(p, " & ");
        p = put_any(p, r, &words_first_names);
    } else if (shape < 34) {
        *p++ = ' ';
        p = put_any(p, r, &words_last_names);
    } else if (shape < 44) {
        p = PUT(p, " | ");
        p = put_any(p, r, subject);
        *p++ = ' ';
        p = put_any(p, r, &words_sites);
    } else {
        *p++ = ' ';
        p = put_any(p, r, &words_sites);
    }
    if (shape == 63)
        *p++ = ' ';
    return p;
}

static char *put_followers(char *p, struct random *r)
{
    uint32_t shape = below(r, 1000);
    if (shape < 735) {
        uint32_t top = below(r, 999) + 1;
        p = put_number(p, 1 + below(r, top)); /* small ones more often */
        *p++ = 'k';
    } else if (shape < 923) {
        p = put_number(p, shape < 741 ? 0 : below(r, 971));
    } else {
        p = put_number(p, 1 + below(r, 1 + below(r, 15)));
        *p++ = 'M';
    }
    return p;
}

static char *put_pin(char *p, uint64_t seed, uint64_t index)
{
    struct random r = stream(seed, index, 0);
    uint32_t category = below(&r, POST_CATEGORIES), kind = below(&r, 2187), place = below(&r, 2187);
    const struct words *subject = &words_of_category[category];
    bool empty = kind < 17, story = kind < 155, plain = kind >= 155 && kind < 187; /* of 2,187 real ones */
    bool no_tags = empty || (kind >= 187 && kind < 202), no_image = empty || (story && kind < 54);
    uint64_t a = next(&r), b = next(&r), c = next(&r), d = next(&r);

    p = put_number(PUT(p, "{\"index\": "), index);
    p = put_hex(PUT(p, ", \"unique_id\": \""), a >> 32, 8);
    p = put_hex(PUT(p, "-"), a >> 16, 4);
    p = put_hex(PUT(p, "-4"), a, 3);
    p = put_hex(PUT(p, "-"), (b >> 48 & 0x3fff) | 0x8000, 4);
    p = put_hex(PUT(p, "-"), b, 12);
    p = PUT(p, "\", \"title\": \"");
    p = empty ? PUT(p, "No Title Data Available") : place == 0 ? p : put_title(p, &r, subject);
    p = PUT(p, "\", \"description\": \"");
    p = story ? PUT(p, "No description available Story format") : plain ? PUT(p, "No description available") : put_description(p, &r, subject);
    p = PUT(p, "\", \"poster_name\": \"");
    p = empty ? PUT(p, "User Info Error") : put_poster(p, &r, subject);
    p = PUT(p, "\", \"follower_count\": \"");
    p = empty ? PUT(p, "User Info Error") : put_followers(p, &r);
    p = PUT(p, "\", \"tag_list\": \"");
    p = no_tags ? PUT(p, "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e") : put_tags(p, &r, subject);
    p = PUT(p, "\", \"is_image_or_video\": \"");
    p = story ? PUT(p, "multi-video(story page format)") : place % 32 == 1 ? PUT(p, "video") : PUT(p, "image");
    p = PUT(p, "\", \"image_src\": \"");
    if (no_image) {
        p = PUT(p, "Image src error.");
    } else {
        p = put_hex(PUT(p, "https://i.pinimg.com/originals/"), c >> 56, 2);
        p = put_hex(PUT(p, "/"), c >> 48, 2);
        p = put_hex(PUT(p, "/"), c >> 40, 2);
        p = put_hex(put_hex(PUT(p, "/"), c, 16), d, 16);
        p = d >> 60 ? PUT(p, ".jpg") : PUT(p, ".png");
    }
    p = PUT(p, "\", \"downloaded\": ");
    *p++ = no_image ? '0' : '1';
    p = put_text(PUT(p, ", \"save_location\": \"Local save in /data/"), words_categories[category]);
    p = put_text(PUT(p, "\", \"category\": \""), words_categories[category]);
    return PUT(p, "\"}");
}

/* -- its place and its user ---------------------------------------------------------------------------------------------------------------- */

#define FIRST_POST 1508457600u  /* 2017-10-20 */
#define POST_SECONDS 157680000u /* five years: to 2022-10-18 */
#define FIRST_USER 1445385600u  /* 2015-10-21 */
#define USER_SECONDS 62812800u  /* two years: to 2017-10-17 */
#define USERS 20000u            /* people who post; some of them often */

static char *put_geo(char *p, uint64_t seed, uint64_t index)
{
    struct random r = stream(seed, index, 1);
    uint32_t country = below(&r, words_n_countries);
    if (below(&r, 8) == 0)
        country = below(&r, 16); /* the head of the alphabet is heavy */
    p = put_number(PUT(p, "{\"ind\": "), index);
    p = PUT(p, ", \"timestamp\": \"");
    uint32_t when = below(&r, POST_SECONDS);
    p = put_time(p, FIRST_POST + when, below(&r, 100) < 65 ? 'T' : ' ');
    p = put_decimal(PUT(p, "\", \"latitude\": "), (int64_t)below(&r, 1799601) - 899800);
    p = put_decimal(PUT(p, ", \"longitude\": "), (int64_t)below(&r, 3592201) - 1799100);
    p = put_text(PUT(p, ", \"country\": \""), words_countries[country]);
    return PUT(p, "\"}");
}

static char *put_user(char *p, uint64_t seed, uint64_t index)
{
    struct random r = stream(seed, index, 2);
    uint32_t person = below(&r, 1 + below(&r, USERS)); /* low numbers post more */
    char between = below(&r, 100) < 95 ? 'T' : ' ';
    struct random who = stream(seed, person, 3);
    uint32_t group = below(&who, 100);
    p = put_number(PUT(p, "{\"ind\": "), index);
    p = put_any(PUT(p, ", \"first_name\": \""), &who, &words_first_names);
    p = put_any(PUT(p, "\", \"last_name\": \""), &who, &words_last_names);
    p = PUT(p, "\", \"age\": ");
    p = put_number(p, group < 44 ? 20 + below(&who, 5) : group < 71 ? 25 + below(&who, 11) : group < 92 ? 36 + below(&who, 15) : 51 + below(&who, 10));
    p = PUT(p, ", \"date_joined\": \"");
    p = put_time(p, FIRST_USER + below(&who, USER_SECONDS), between);
    return PUT(p, "\"}");
}

/* -- broken ones -------------------------------------------------------------------------------------------------------------------------- */

/* Puts `insert` behind the first `after` in out[0..n); the length then. */
static size_t insert_behind(char *out, size_t n, const char *after, const char *insert)
{
    size_t k = strlen(after), m = strlen(insert);
    char *at = memmem(out, n, after, k);
    if (!at)
        return n;
    at += k;
    memmove(at + m, at, n - (size_t)(at - out));
    memcpy(at, insert, m);
    return n + m;
}

static size_t break_it(char *out, size_t n, post_kind kind, struct random *r)
{
    static const char *const others[] = { "null", "42", "\"text\"", "{}", "true" };
    const char *key = kind == POST_PIN ? "{\"index\": " : "{\"ind\": ";
    switch (below(r, 6)) {
    case 0: /* cut off */
        return 1 + below(r, (uint32_t)n - 1);
    case 1: /* not a number */
        return insert_behind(out, n, key, "\"x\", \"was\": ");
    case 2: /* no UTF-8 */
        return insert_behind(out, n, kind == POST_PIN ? "\"category\": \"" : kind == POST_GEO ? "\"country\": \"" : "\"last_name\": \"", "\xff\xfe");
    case 3: /* no index */
        memcpy(out, "{\"xx", 4);
        return n;
    case 4: /* deep, and never closed */
        n = 1 + below(r, 3000);
        memset(out, '[', n);
        return n;
    default:
        return (size_t)(put_text(out, others[below(r, 5)]) - out);
    }
}

size_t post_write(char *out, post_kind kind, uint64_t seed, uint64_t index, double dirty)
{
    char *end = kind == POST_PIN ? put_pin(out, seed, index) : kind == POST_GEO ? put_geo(out, seed, index) : put_user(out, seed, index);
    size_t n = (size_t)(end - out);
    if (dirty > 0) {
        struct random r = stream(seed ^ UINT64_C(0x6469727479), index, (uint64_t)kind);
        if (chance(&r, dirty))
            return break_it(out, n, kind, &r);
    }
    return n;
}
