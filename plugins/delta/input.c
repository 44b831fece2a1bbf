/* input.c - see input.h. SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <stdlib.h>
#include <string.h>

static pen_status read_range(void *arg, int64_t offset, void *bytes, size_t n, struct pen_error *err)
{
    struct delta_input *in = arg;
    size_t got;
    pen_status st = pen_store_read(in->host, in->url, offset, bytes, n, &got, err);
    if (st < 0)
        return st;
    if (st == PEN_SKIP)
        return pen_fail(err, PEN_FATAL, "%s: the file is gone", in->url);
    return got == n ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: ends at byte %lld, shorter than it was", in->url, (long long)offset + (long long)got);
}

pen_status delta_input_open(struct delta_input *in, const struct pen_host *host, const char *url, int64_t size, struct pen_error *err)
{
    struct pen_object o;
    pen_status st = PEN_OK;
    *in = (struct delta_input){ .host = host, .url = strdup(url) };
    if (!in->url)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", url);
    if (size < 0) {
        st = pen_store_head(host, url, &o, err);
        if (st == PEN_SKIP)
            st = pen_fail(err, PEN_FATAL, "%s: there is no such file, though the log names it", url);
        size = st < 0 ? 0 : o.size;
    }
    const struct pen_parquet_input file = { .name = in->url, .size = size, .read = read_range, .arg = in };
    if (st >= 0)
        st = pen_parquet_reader_open(&in->reader, &file, err);
    if (st < 0)
        delta_input_close(in);
    return st;
}

void delta_input_close(struct delta_input *in)
{
    if (in->reader)
        pen_parquet_reader_free(&in->reader);
    free(in->url);
    *in = (struct delta_input){ 0 };
}
