/* message.c - see message.h. SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

/* -- members ------------------------------------------------------------------------------------------------------------------------- */

static pen_status odd(struct pen_error *err, const char *what)
{
    return pen_fail(err, PEN_BADDATA, "the answer is not what Kinesis documents: %s", what);
}

static pen_status parse(const char *text, size_t n, cJSON **root, struct pen_error *err)
{
    *root = text ? cJSON_ParseWithLength(text, n) : NULL;
    if (*root && cJSON_IsObject(*root))
        return PEN_OK;
    cJSON_Delete(*root);
    *root = NULL;
    return odd(err, "no JSON object");
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* A whole number from 0 to `most`; `otherwise` where there is none. False where it is another. */
static bool count_of(const cJSON *object, const char *name, double most, int64_t otherwise, int64_t *out)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);
    *out = otherwise;
    if (!v || cJSON_IsNull(v))
        return true;
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0 && v->valuedouble <= most))
        return false;
    *out = (int64_t)v->valuedouble;
    return true;
}

/* Seconds since 1970 with a fraction, as so many units a second. False where they are no number of this age. */
static bool time_of(const cJSON *object, const char *name, double units, int64_t *out)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0 && v->valuedouble < 253402300800.0)) /* the year 10000 */
        return false;
    *out = (int64_t)llround(v->valuedouble * 1000) * (int64_t)(units / 1000); /* the service counts milliseconds */
    return true;
}

/* A text of 1 … size-1 bytes without a quote or a control character, so that it can stand in a request as it is. */
static bool copy_name(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text && text[n]; n++)
        if (n + 1 == size || (unsigned char)text[n] < 0x20 || text[n] == '"' || text[n] == '\\')
            return false;
    if (n == 0)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

pen_status kin_parse_text(const char *text, size_t n, const char *name, char **out, struct pen_error *err)
{
    cJSON *root;
    const char *found;
    pen_status st = parse(text, n, &root, err);
    *out = NULL;
    if (st < 0)
        return st;
    found = text_of(root, name);
    if (!found || !*found)
        st = odd(err, name);
    else if (!(*out = strdup(found)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    cJSON_Delete(root);
    return st;
}

/* -- base64 -------------------------------------------------------------------------------------------------------------------------- */

static int sextet(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool kin_base64(char *text, size_t n, size_t *decoded)
{
    size_t out = 0, pad = n && text[n - 1] == '=' ? (n > 1 && text[n - 2] == '=' ? 2 : 1) : 0;
    if (n % 4)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        size_t gone = i + 4 == n ? pad : 0; /* of this quantum's three bytes */
        int a = sextet(text[i]), b = sextet(text[i + 1]), c = gone == 2 ? 0 : sextet(text[i + 2]), d = gone ? 0 : sextet(text[i + 3]);
        unsigned v = (unsigned)a << 18 | (unsigned)b << 12 | (unsigned)c << 6 | (unsigned)d;
        if (a < 0 || b < 0 || c < 0 || d < 0 || (gone == 1 && (v & 0xff)) || (gone == 2 && (v & 0xffff)))
            return false;
        text[out++] = (char)(v >> 16);
        if (gone < 2)
            text[out++] = (char)(v >> 8 & 0xff);
        if (gone < 1)
            text[out++] = (char)(v & 0xff);
    }
    *decoded = out;
    return true;
}

/* -- GetRecords ------------------------------------------------------------------------------------------------------------------------ */

static pen_status parse_record(const cJSON *item, struct kin_record *r, struct pen_error *err)
{
    const char *seq = text_of(item, "SequenceNumber");
    cJSON *data = cJSON_GetObjectItemCaseSensitive(item, "Data");
    r->key = text_of(item, "PartitionKey");
    if (!seq || !seq_parse(seq, &r->seq) || seq_is_zero(&r->seq))
        return odd(err, "a record without a sequence number");
    if (!cJSON_IsString(data) || !kin_base64(data->valuestring, strlen(data->valuestring), &r->data_n))
        return odd(err, "a record without data in base64");
    r->data = data->valuestring;
    r->key_n = r->key ? strlen(r->key) : 0;
    if (!time_of(item, "ApproximateArrivalTimestamp", 1000000, &r->arrival))
        r->arrival = INT64_MIN;
    return PEN_OK;
}

static pen_status parse_records(struct kin_records *out, struct pen_error *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(out->root, "Records"), *item;
    int n = cJSON_GetArraySize(list);
    if (!cJSON_IsArray(list))
        return odd(err, "Records");
    if (!count_of(out->root, "MillisBehindLatest", 1e15, -1, &out->behind))
        return odd(err, "MillisBehindLatest");
    out->next = text_of(out->root, "NextShardIterator");
    out->v = calloc((size_t)n + 1, sizeof *out->v);
    if (!out->v)
        return pen_fail(err, PEN_FATAL, "out of memory");
    cJSON_ArrayForEach(item, list)
    {
        struct kin_record *r = &out->v[out->n];
        pen_status st = parse_record(item, r, err);
        if (st < 0)
            return st;
        if (out->n && seq_compare(&r[-1].seq, &r->seq) >= 0)
            return odd(err, "sequence numbers that do not grow");
        out->bytes += r->key_n + r->data_n;
        out->n++;
    }
    return PEN_OK;
}

pen_status kin_parse_records(const char *text, size_t n, struct kin_records *out, struct pen_error *err)
{
    pen_status st;
    memset(out, 0, sizeof *out);
    st = parse(text, n, &out->root, err);
    if (st >= 0)
        st = parse_records(out, err);
    if (st < 0)
        kin_records_fini(out);
    return st;
}

void kin_records_fini(struct kin_records *r)
{
    cJSON_Delete(r->root);
    free(r->v);
    memset(r, 0, sizeof *r);
}

/* -- ListShards ------------------------------------------------------------------------------------------------------------------------ */

static pen_status parse_shard(const cJSON *item, struct kin_shard *s, struct pen_error *err)
{
    static const char *const parents[2] = { "ParentShardId", "AdjacentParentShardId" };
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(item, "SequenceNumberRange");
    const cJSON *hash = cJSON_GetObjectItemCaseSensitive(item, "HashKeyRange");
    const char *first = text_of(range, "StartingSequenceNumber"), *last = text_of(range, "EndingSequenceNumber");
    memset(s, 0, sizeof *s);
    if (!copy_name(s->name, sizeof s->name, text_of(item, "ShardId")))
        return odd(err, "a shard without a name");
    for (int i = 0; i < 2; i++)
        if (text_of(item, parents[i]) && !copy_name(s->parents[i], sizeof s->parents[i], text_of(item, parents[i])))
            return odd(err, "a parent without a name");
    if (!first || !seq_parse(first, &s->first) || (last && !seq_parse(last, &s->last)))
        return odd(err, "a shard without a range of sequence numbers");
    s->closed = last != NULL;
    if (!copy_name(s->low, sizeof s->low, text_of(hash, "StartingHashKey")))
        s->low[0] = '\0';
    if (!copy_name(s->high, sizeof s->high, text_of(hash, "EndingHashKey")))
        s->high[0] = '\0';
    return PEN_OK;
}

static pen_status parse_shards(const cJSON *root, struct kin_shards *out, char **next, struct pen_error *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "Shards"), *item;
    const char *token = text_of(root, "NextToken");
    size_t wanted = out->n + (size_t)cJSON_GetArraySize(list);
    if (!cJSON_IsArray(list))
        return odd(err, "Shards");
    if (wanted > out->room) {
        struct kin_shard *v = realloc(out->v, wanted * sizeof *v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        out->v = v;
        out->room = wanted;
    }
    cJSON_ArrayForEach(item, list)
    {
        pen_status st = parse_shard(item, &out->v[out->n], err);
        if (st < 0)
            return st;
        out->n++;
    }
    if (token && *token && !(*next = strdup(token)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    return PEN_OK;
}

pen_status kin_parse_shards(const char *text, size_t n, struct kin_shards *out, char **next, struct pen_error *err)
{
    cJSON *root;
    pen_status st = parse(text, n, &root, err);
    *next = NULL;
    if (st >= 0)
        st = parse_shards(root, out, next, err);
    cJSON_Delete(root);
    return st;
}

/* -- DescribeStreamSummary, ListStreams -------------------------------------------------------------------------------------------------- */

static pen_status parse_summary(const cJSON *root, struct kin_summary *out, struct pen_error *err)
{
    const cJSON *d = cJSON_GetObjectItemCaseSensitive(root, "StreamDescriptionSummary");
    const char *mode = text_of(cJSON_GetObjectItemCaseSensitive(d, "StreamModeDetails"), "StreamMode");
    if (!copy_name(out->status, sizeof out->status, text_of(d, "StreamStatus")))
        return odd(err, "StreamStatus");
    if (!time_of(d, "StreamCreationTimestamp", 1000, &out->created))
        return odd(err, "StreamCreationTimestamp");
    if (!count_of(d, "RetentionPeriodHours", 1e6, 24, &out->retention) || !count_of(d, "OpenShardCount", 1e9, 0, &out->open_shards) ||
        !count_of(d, "MaxRecordSizeInKiB", 1e6, 1024, &out->record_size))
        return odd(err, "a number of the summary");
    out->record_size *= 1024;
    if (!copy_name(out->mode, sizeof out->mode, mode))
        snprintf(out->mode, sizeof out->mode, "PROVISIONED");
    if (!copy_name(out->arn, sizeof out->arn, text_of(d, "StreamARN")))
        out->arn[0] = '\0';
    return PEN_OK;
}

pen_status kin_parse_summary(const char *text, size_t n, struct kin_summary *out, struct pen_error *err)
{
    cJSON *root;
    pen_status st = parse(text, n, &root, err);
    memset(out, 0, sizeof *out);
    if (st >= 0)
        st = parse_summary(root, out, err);
    cJSON_Delete(root);
    return st;
}

pen_status kin_parse_streams(const char *text, size_t n, pen_status (*each)(void *arg, const char *name, struct pen_error *err), void *arg,
                             bool *more, struct pen_error *err)
{
    cJSON *root;
    const cJSON *list, *item;
    char name[SHARD_NAME];
    pen_status st = parse(text, n, &root, err);
    if (st < 0)
        return st;
    list = cJSON_GetObjectItemCaseSensitive(root, "StreamNames");
    *more = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "HasMoreStreams")) && cJSON_GetArraySize(list) > 0;
    if (!cJSON_IsArray(list))
        st = odd(err, "StreamNames");
    cJSON_ArrayForEach(item, list)
    {
        if (st < 0)
            break;
        st = cJSON_IsString(item) && copy_name(name, sizeof name, item->valuestring) ? each(arg, name, err) : odd(err, "a stream without a name");
    }
    cJSON_Delete(root);
    return st;
}

/* -- PutRecords -------------------------------------------------------------------------------------------------------------------------- */

static pen_status parse_put(const cJSON *item, struct kin_put *out, char *message, size_t size, struct pen_error *err)
{
    const char *seq = text_of(item, "SequenceNumber"), *code = text_of(item, "ErrorCode"), *why = text_of(item, "ErrorMessage");
    memset(out, 0, sizeof *out);
    if (code) {
        if (!copy_name(out->error, sizeof out->error, code))
            return odd(err, "ErrorCode");
        if (!message[0])
            snprintf(message, size, "%s: %s", out->error, why ? why : "no reason given");
        return PEN_OK;
    }
    if (!seq || !seq_parse(seq, &out->seq) || !copy_name(out->shard, sizeof out->shard, text_of(item, "ShardId")))
        return odd(err, "a record that has neither a sequence number and shard nor an error");
    out->stored = true;
    return PEN_OK;
}

pen_status kin_parse_put(const char *text, size_t size, struct kin_put *out, size_t n, char *message, size_t message_size, struct pen_error *err)
{
    cJSON *root;
    const cJSON *list, *item;
    size_t i = 0;
    pen_status st = parse(text, size, &root, err);
    message[0] = '\0';
    if (st < 0)
        return st;
    list = cJSON_GetObjectItemCaseSensitive(root, "Records");
    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != n)
        st = odd(err, "another number of records than were sent");
    cJSON_ArrayForEach(item, list)
    {
        if (st < 0 || i == n)
            break;
        st = parse_put(item, &out[i++], message, message_size, err);
    }
    cJSON_Delete(root);
    return st;
}
