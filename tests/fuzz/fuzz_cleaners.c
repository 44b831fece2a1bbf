/* fuzz_cleaners.c - lines of JSON through the decoder and a cleaner, whose output must be a sound batch that accounts for every record.
 * The first byte chooses the cleaner. Sources beside this one: tests/pinterest/driver.c plugins/pin/pin.c plugins/geo/geo.c
 * plugins/user/user.c plugins/pinterest/{columns,markers,numbers,text,times}.c and libpenstock (include paths: core, core/include).
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "../pinterest/driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pen_plugin *const plugins[] = { &pin_LTX_pen_plugin, &geo_LTX_pen_plugin, &user_LTX_pen_plugin };
    static struct driver drivers[3];
    struct ArrowArray out;
    struct pen_error err = { 0 };
    struct driver *d;
    char buf[256];
    size_t which, rejected;
    if (size < 2)
        return 0;
    which = data[0] % 3;
    d = &drivers[which];
    if (!d->ctx)
        driver_open(d, plugins[which], NULL, NULL);
    if (driver_lines(d, (const char *)data + 1, size - 1, &out, &rejected, &err) < 0)
        abort(); /* no bytes may fail a batch: a bad record is refused alone */
    for (int64_t row = 0; row < out.length; row++)
        for (int64_t i = 0; i < d->out.n_children; i++)
            driver_show(d, &out, d->out.children[i]->name, row, buf, sizeof buf);
    pen_array_release(&out);
    return 0;
}
