/* fuzz_aws.c - what comes from AWS's files and services: shared configuration, credentials in JSON and XML, errors, lists of objects.
 * Sources: this file, plugins/aws, plugins/s3; links libpenstock. Input: the first byte says which. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "aws/keys.h"
#include "s3/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_key(void *arg, const char *section, const char *key, const char *value)
{
    *(size_t *)arg += strlen(section) + strlen(key) + strlen(value);
    if (!*key)
        abort();
}

static pen_status one_entry(void *arg, const struct s3_entry *e, struct pen_error *err)
{
    (void)err;
    if (strlen(e->key) >= sizeof e->key || e->object.size < 0)
        abort();
    return ++*(size_t *)arg > 100000 ? PEN_SKIP : PEN_OK;
}

/* An answer whose head and body are the two halves. */
static void answer(const char *text, size_t n)
{
    struct aws_answer a = { .status = 400, .n = n - n / 2 };
    char buf[100];
    int64_t seconds;
    struct pen_error err = { 0 };
    pen_text_append(&a.head, text, n / 2);
    a.body = malloc(a.n + 1);
    if (a.body) {
        memcpy(a.body, text + n / 2, a.n);
        a.body[a.n] = '\0';
        aws_answer_code(&a, buf, sizeof buf);
        aws_answer_header(&a, "date", buf, sizeof buf);
        aws_answer_date(&a, &seconds);
        aws_answer_throttled(&a);
        if (aws_answer_fail(&a, "what", &err) >= 0 || strchr(err.msg, '\n'))
            abort();
    }
    aws_answer_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aws_held *held = NULL;
    struct s3_page page;
    size_t seen = 0;
    if (size == 0)
        return 0;
    char *text = malloc(size); /* at its own end, so that a byte too far is noticed */
    size_t n = size - 1;
    if (!text)
        return 0;
    memcpy(text, data + 1, n);
    switch (data[0] % 5) {
    case 0: aws_ini_parse(text, n, count_key, &seen); break;
    case 1: aws_keys_of_json(text, n, "fuzz", &held, NULL); break;
    case 2: aws_keys_of_xml(text, n, "fuzz", &held, NULL); break;
    case 3: s3_page_parse(text, n, &page, one_entry, &seen, NULL); break;
    default: answer(text, n);
    }
    aws_held_drop(&held);
    free(text);
    return 0;
}
