/* column.c - tables and their columns; what both protocols decode alike. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "column.h"

#include <stdlib.h>
#include <string.h>

#include <penstock/records.h>

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

rds_fit rds_bytes_utf8(const struct rds_column *c, struct pen_builder *b, const uint8_t *bytes, size_t n)
{
    (void)c;
    if (!pen_utf8_valid((const char *)bytes, n))
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
