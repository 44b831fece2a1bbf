/* schema.h - what the library's own files know about schemas beyond <penstock/arrow.h>. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_SCHEMA_H
#define PENSTOCK_DATA_SCHEMA_H

#include <penstock/arrow.h>

/* Nesting of lists and structs that pen_schema_check() lets through; what recurses over a schema relies on it. */
#define PEN_SCHEMA_DEPTH 64

/* Precision (1 to 38) and scale (0 to precision) of a decimal128 field; false for anything else. */
bool pen_schema_decimal(const struct ArrowSchema *field, int *precision, int *scale);

#endif
