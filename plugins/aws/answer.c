/* answer.c - what a service's answer says: headers, and errors in XML or JSON, as one line.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"

bool aws_answer_header(const struct aws_answer *a, const char *name, char *buf, size_t size)
{
    const char *p = a->head.bytes, *end = p ? p + a->head.n : NULL;
    size_t n = strlen(name);
    while (p < end) {
        const char *line = memchr(p, '\n', (size_t)(end - p)), *stop = line ? line : end;
        if ((size_t)(stop - p) > n && p[n] == ':' && strncasecmp(p, name, n) == 0) {
            const char *v = p + n + 1;
            while (v < stop && (*v == ' ' || *v == '\t'))
                v++;
            while (stop > v && isspace((unsigned char)stop[-1]))
                stop--;
            snprintf(buf, size, "%.*s", (int)(stop - v), v);
            return true;
        }
        p = line ? line + 1 : end;
    }
    if (size)
        *buf = '\0';
    return false;
}

/* "Sun, 30 Aug 2015 12:36:00 GMT" as seconds since 1970. */
bool aws_parse_date(const char *text, int64_t *seconds)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4];
    int day, year, hour, minute, second, at = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute, &second, &at) != 6 || !at)
        return false;
    const char *m = strstr(months, month);
    if (!m || (m - months) % 3 || year < 1970 || year > 9999 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    struct tm tm = { .tm_year = year - 1900, .tm_mon = (int)(m - months) / 3, .tm_mday = day, .tm_hour = hour, .tm_min = minute, .tm_sec = second };
    *seconds = (int64_t)timegm(&tm);
    return true;
}

bool aws_answer_date(const struct aws_answer *a, int64_t *seconds)
{
    char date[64];
    return aws_answer_header(a, "date", date, sizeof date) && aws_parse_date(date, seconds);
}

/* The text between `from` and `to` behind the first `from`; "" where there is none. Enough for the flat errors of services: what it finds is only
 * shown, and compared with names that we know. */
static const char *between(const char *text, size_t n, const char *from, const char *to, char *buf, size_t size)
{
    const char *p = text ? memmem(text, n, from, strlen(from)) : NULL;
    const char *start = p ? p + strlen(from) : NULL;
    const char *q = start ? memmem(start, n - (size_t)(start - text), to, strlen(to)) : NULL;
    snprintf(buf, size, "%.*s", q ? (int)(q - start) : 0, q ? start : "");
    return buf;
}

/* A string member of a flat JSON object. Escapes stay as they are. */
static const char *json_member(const char *text, size_t n, const char *name, char *buf, size_t size)
{
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *p = text ? memmem(text, n, quoted, strlen(quoted)) : NULL, *end = text + n;
    *buf = '\0';
    if (!p)
        return buf;
    p += strlen(quoted);
    while (p < end && (isspace((unsigned char)*p) || *p == ':'))
        p++;
    if (p == end || *p++ != '"')
        return buf;
    const char *q = p;
    while (q < end && *q != '"')
        q += *q == '\\' && q + 1 < end ? 2 : 1;
    snprintf(buf, size, "%.*s", (int)(q - p), p);
    return buf;
}

const char *aws_answer_code(const struct aws_answer *a, char *buf, size_t size)
{
    char text[200] = "";
    if (a->body && memmem(a->body, a->n, "<Code>", 6))
        between(a->body, a->n, "<Code>", "</Code>", text, sizeof text);
    if (!*text && !aws_answer_header(a, "x-amzn-errortype", text, sizeof text) && a->body && a->n && a->body[0] == '{') {
        json_member(a->body, a->n, "__type", text, sizeof text);
        if (!*text)
            json_member(a->body, a->n, "code", text, sizeof text);
    }
    char *name = strrchr(text, '#'); /* "com.amazonaws.kinesis#ResourceNotFoundException" */
    name = name ? name + 1 : text;
    name[strcspn(name, ":")] = '\0'; /* "ValidationException:http://…" */
    snprintf(buf, size, "%s", name);
    return buf;
}

static const char *message_of(const struct aws_answer *a, char *buf, size_t size)
{
    between(a->body, a->n, "<Message>", "</Message>", buf, size);
    if (!*buf)
        json_member(a->body, a->n, "message", buf, size);
    if (!*buf)
        json_member(a->body, a->n, "Message", buf, size);
    return buf;
}

static bool is_one_of(const char *code, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(code, *list) == 0)
            return true;
    return false;
}

bool aws_answer_throttled(const struct aws_answer *a)
{
    static const char *const slow[] = { "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
                                        "RequestLimitExceeded", "TooManyRequestsException", "ProvisionedThroughputExceededException", "SlowDown",
                                        "SlowDownRead", "SlowDownWrite", "BandwidthLimitExceeded", "TransactionInProgressException",
                                        "EC2ThrottledException", "KMSThrottlingException", NULL };
    char code[100];
    return a->status == 429 || a->status == 503 || (a->status >= 400 && is_one_of(aws_answer_code(a, code, sizeof code), slow));
}

bool aws_answer_passing(const struct aws_answer *a)
{
    static const char *const passing[] = { "RequestTimeout", "RequestTimeoutException", "InternalFailure", "InternalError", "PriorRequestNotComplete",
                                           "OperationAborted", "IDPCommunicationError", NULL };
    char code[100];
    if (a->status == 500 || a->status == 502 || a->status == 504 || a->status == 408)
        return true;
    return a->status >= 400 && (aws_answer_throttled(a) || is_one_of(aws_answer_code(a, code, sizeof code), passing));
}

bool aws_answer_keys_expired(const struct aws_answer *a)
{
    static const char *const expired[] = { "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", NULL };
    char code[100];
    return a->status >= 400 && a->status < 500 && is_one_of(aws_answer_code(a, code, sizeof code), expired);
}

bool aws_answer_clock_wrong(const struct aws_answer *a)
{
    static const char *const skewed[] = { "RequestTimeTooSkewed", "RequestInTheFuture", NULL };
    char code[100], message[300];
    if (a->status < 400 || a->status >= 500)
        return false;
    aws_answer_code(a, code, sizeof code);
    if (is_one_of(code, skewed))
        return true;
    /* Other services say so in words only: "Signature expired: …", "Signature not yet current: …" */
    message_of(a, message, sizeof message);
    return strncmp(message, "Signature expired", 17) == 0 || strncmp(message, "Signature not yet current", 25) == 0;
}

pen_status aws_answer_fail(const struct aws_answer *a, const char *what, struct pen_error *err)
{
    static const char *const ours[] = { "NoSuchBucket", "ResourceNotFoundException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied",
                                        "AccessDeniedException", "InvalidSignatureException", "UnrecognizedClientException", "InvalidBucketName",
                                        "PermanentRedirect", "AuthorizationHeaderMalformed", "ExpiredToken", "ExpiredTokenException", "AllAccessDisabled",
                                        "IncompleteSignature", "InvalidClientTokenId", "MissingAuthenticationTokenException", "InvalidToken", NULL };
    char code[100], message[300];
    aws_answer_code(a, code, sizeof code);
    message_of(a, message, sizeof message);
    bool mendable = a->status == 401 || a->status == 403 || is_one_of(code, ours);
    pen_status st = aws_answer_passing(a) || a->status >= 500 ? PEN_RETRY : mendable ? PEN_BADCONF : PEN_FATAL;
    return pen_fail(err, st, "%s: %s answered %ld%s%s%s%s", what, a->url, a->status, *code ? " " : "", code, *message ? ": " : "", message);
}
