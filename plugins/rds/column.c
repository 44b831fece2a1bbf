/* column.c - tables and their columns; what both protocols decode alike. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "column.h"

#include <stdlib.h>
#include <string.h>

void rds_table_fini(struct rds_table *t)
{
    for (size_t i = 0; i < t->n_columns; i++)
        free(t->columns[i].name), free(t->columns[i].expression);
    free(t->columns), free(t->name), free(t->quoted);
    memset(t, 0, sizeof *t);
}

struct rds_column *rds_table_add(struct rds_table *t, const char *name)
{
    struct rds_column *v = realloc(t->columns, (t->n_columns + 1) * sizeof *v);
    if (!v)
        return NULL;
    t->columns = v;
    memset(&v[t->n_columns], 0, sizeof *v);
    if (!(v[t->n_columns].name = strdup(name)))
        return NULL;
    return &v[t->n_columns++];
}

int rds_table_find(const struct rds_table *t, const char *column)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, column) == 0)
            return (int)i;
    return -1;
}

pen_status rds_table_schema(const struct rds_table *t, struct ArrowSchema *out, struct pen_error *err)
{
    pen_status st = pen_schema_init_struct(out, "", t->n_columns, err);
    for (size_t i = 0; i < t->n_columns && st >= 0; i++) {
        const struct rds_column *c = &t->columns[i];
        bool list = c->format[0] == '+';
        st = pen_schema_init_field(out->children[i], list ? "+l" : c->format, c->name, ARROW_FLAG_NULLABLE, list, err);
        if (st >= 0 && list)
            st = pen_schema_init_field(out->children[i]->children[0], c->format + 2, "item", ARROW_FLAG_NULLABLE, 0, err);
    }
    if (st < 0)
        pen_schema_release(out);
    return st;
}

/* -- bytes as they are ------------------------------------------------------------------------------------------------------------------- */

/* Length of the well-formed sequence at s, which is no ASCII; 0: there is none within n bytes. */
static size_t sequence(const uint8_t *s, size_t n)
{
    size_t want = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || want > n)
        return 0;
    for (size_t i = 1; i < want; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return want;
}

bool rds_is_utf8(const uint8_t *s, size_t n)
{
    size_t i = 0, step;
    while (i < n) {
        uint64_t eight;
        while (i + sizeof eight <= n) {
            memcpy(&eight, s + i, sizeof eight);
            if (eight & UINT64_C(0x8080808080808080))
                break;
            i += sizeof eight;
        }
        while (i < n && s[i] < 0x80)
            i++;
        if (i == n)
            return true;
        if (!(step = sequence(s + i, n - i)))
            return false;
        i += step;
    }
    return true;
}

rds_fit rds_bytes_utf8(const struct rds_column *c, struct pen_builder *b, const uint8_t *bytes, size_t n)
{
    (void)c;
    if (!rds_is_utf8(bytes, n))
        return RDS_UNFIT;
    pen_builder_bytes_value(b, bytes, n);
    return RDS_FITS;
}

rds_fit rds_bytes_binary(const struct rds_column *c, struct pen_builder *b, const uint8_t *bytes, size_t n)
{
    (void)c;
    pen_builder_bytes_value(b, bytes, n);
    return RDS_FITS;
}

rds_fit rds_append_decimal(struct pen_builder *b, rds_int128 v)
{
    uint8_t le[16];
    rds_uint128 u = (rds_uint128)v;
    for (int i = 0; i < 16; i++)
        le[i] = (uint8_t)(u >> (8 * i));
    pen_builder_decimal128(b, le);
    return RDS_FITS;
}
