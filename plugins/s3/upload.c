/* upload.c - a large object: written bit by bit, sent in parts, published at the end.
 *
 * Each object carries an id of its own in its metadata. So an answer that was lost is settled here by looking at the object: it is ours, or another's,
 * or there is none yet and the same request may go out again. What stays within one part and is published at once needs no multipart upload.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "upload.h"

enum { FIRST_ROOM = 65536, LOOKS = 8, LOOK_PAUSE_MS = 250 };

/* The folder that an upload belongs to, without the levels that name partitions ("k=v"): what was left behind is looked for there. */
static struct s3_target folder_of(const struct s3_target *t)
{
    struct s3_target f = *t;
    char *slash = strrchr(f.key, '/');
    while (slash) {
        *slash = '\0';
        char *level = strrchr(f.key, '/');
        if (!strchr(level ? level : f.key, '='))
            break;
        slash = level;
    }
    if (!slash)
        f.key[0] = '\0';
    else
        strncat(f.key, "/", sizeof f.key - strlen(f.key) - 1);
    return f;
}

pen_status s3_upload_open(void *ctx, const char *path, unsigned flags, const struct pen_pairs *metadata, void **upload, struct pen_error *err)
{
    struct s3_store *s = ctx;
    unsigned char random[16];
    struct s3_upload *u = calloc(1, sizeof *u);
    *upload = NULL;
    if (!u)
        return pen_fail(err, PEN_FATAL, "out of memory");
    pen_status st = s3_target_of(&u->target, path, err);
    if (st >= 0 && getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        st = pen_fail(err, PEN_FATAL, "no random numbers to be had");
    if (st < 0) {
        free(u);
        return st;
    }
    u->store = s;
    u->flags = flags;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(u->own_id + 2 * i, 3, "%02x", random[i]);
    aws_field_add(&u->headers, "x-amz-meta-" S3_OWN_HEADER, u->own_id);
    s3_metadata_headers(&u->headers, metadata);
    struct s3_target folder = folder_of(&u->target);
    s3_pool_reclaim(s, &folder);
    *upload = u;
    return PEN_OK;
}

/* Size of the part that is being filled: parts grow, as S3 takes 10,000 of an object. */
static size_t part_size(const struct s3_upload *u)
{
    return (size_t)u->store->options.part_size << (u->given / 2500);
}

static pen_status make_room(struct s3_upload *u, size_t more, struct pen_error *err)
{
    size_t room = u->room ? u->room : FIRST_ROOM, limit = part_size(u);
    while (room < limit && room - u->n < more)
        room *= 2;
    room = room < limit ? room : limit;
    if (room <= u->room)
        return PEN_OK;
    char *bytes = realloc(u->bytes, room);
    if (!bytes)
        return pen_fail(err, PEN_FATAL, "out of memory");
    u->bytes = bytes;
    u->room = room;
    return PEN_OK;
}

pen_status s3_upload_write(void *upload, const void *bytes, size_t n, struct pen_error *err)
{
    struct s3_upload *u = upload;
    pen_status st = PEN_OK;
    while (n && st >= 0) {
        size_t limit = part_size(u);
        if (u->n == limit && (st = s3_pool_send(u, err)) < 0)
            break;
        if ((st = make_room(u, n, err)) < 0)
            break;
        size_t now = n < u->room - u->n ? n : u->room - u->n;
        memcpy(u->bytes + u->n, bytes, now);
        u->n += now;
        bytes = (const char *)bytes + now;
        n -= now;
    }
    return st;
}

void s3_upload_abandon(void *upload)
{
    s3_pool_abandon(upload);
}

/* -- the end ------------------------------------------------------------------------------------------------------------------------------------- */

/* All of it is in S3, as parts. An empty object is one empty part. */
static pen_status send_rest(struct s3_upload *u, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (u->n || !u->given) {
        st = make_room(u, 1, err);
        if (st >= 0)
            st = s3_pool_send(u, err);
    }
    return st < 0 ? st : s3_pool_finish(u, err);
}

/* The whole object in one request. */
static pen_status put_whole(struct s3_upload *u, pen_put_outcome *outcome, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "PUT", .body = u->bytes, .n = u->n }, .once = u->flags & PEN_PUT_IF_ABSENT };
    struct aws_answer a = { 0 };
    if (u->flags & PEN_PUT_IF_ABSENT)
        aws_field_add(&call.request.headers, "if-none-match", "*");
    aws_fields_add_all(&call.request.headers, &u->headers);
    s3_checksum_header(u->store, &call.request);
    s3_encryption_headers(u->store, &call.request);
    pen_status st = s3_call(u->store, &u->target, &call, &a, err);
    st = s3_put_outcome(&u->target, &a, st, u->flags, outcome, err);
    aws_request_fini(&call.request);
    aws_answer_fini(&a);
    return st;
}

/* Whose object lies under the name: PEN_PUT_DONE ours, PEN_PUT_EXISTS another's, PEN_PUT_UNKNOWN none. */
static pen_status look_whose(struct s3_store *s, const struct s3_target *t, const char *own_id, pen_put_outcome *outcome, struct pen_error *err)
{
    char id[S3_OWN_ID + 1];
    pen_status st = s3_head_field(s, t, "x-amz-meta-" S3_OWN_HEADER, id, sizeof id, err);
    *outcome = st == PEN_SKIP ? PEN_PUT_UNKNOWN : strcmp(id, own_id) == 0 ? PEN_PUT_DONE : PEN_PUT_EXISTS;
    return st < 0 ? st : PEN_OK;
}

/* The end of an upload was asked for, with this result: what became of it. PEN_OK with an outcome (unknown: no object is there, and it may be tried again;
 * lost: nor are all parts), PEN_SKIP: the upload is gone and there is no object. */
static pen_status settle(struct s3_store *s, const struct s3_target *t, const char *own_id, unsigned flags, pen_status asked, pen_put_outcome *outcome,
                         struct pen_error *err)
{
    bool gone = asked == PEN_SKIP, lost = *outcome == PEN_PUT_LOST;
    if (asked < 0 || (asked == PEN_OK && *outcome == PEN_PUT_DONE))
        return asked;
    pen_status st = look_whose(s, t, own_id, outcome, err);
    if (st >= 0 && *outcome == PEN_PUT_EXISTS && !(flags & PEN_PUT_IF_ABSENT))
        *outcome = PEN_PUT_UNKNOWN; /* the one that is to be replaced */
    if (st >= 0 && *outcome == PEN_PUT_UNKNOWN && lost)
        *outcome = PEN_PUT_LOST;
    return st >= 0 && gone && *outcome == PEN_PUT_UNKNOWN ? PEN_SKIP : st;
}

/* It is unclear what became of an upload's end, or parts or the whole upload are missing because a request before this one is just making the object of
 * them. True when it is time to ask again. */
static bool ask_again(int *looks)
{
    return ++*looks < LOOKS && poll(NULL, 0, LOOK_PAUSE_MS) <= 0;
}

static pen_status try_close(struct s3_upload *u, bool whole, pen_put_outcome *outcome, struct pen_error *err)
{
    pen_status st = whole ? put_whole(u, outcome, err)
                          : s3_complete_upload(u->store, &u->target, u->upload_id, &u->parts, u->flags, outcome, err);
    return settle(u->store, &u->target, u->own_id, u->flags, st, outcome, err);
}

pen_status s3_upload_close(void *upload, pen_put_outcome *outcome, struct pen_error *err)
{
    struct s3_upload *u = upload;
    struct s3_patience patience = { 0 };
    struct pen_error why;
    bool whole = !u->given, again = false;
    int looks = 0;
    pen_status st = whole ? PEN_OK : send_rest(u, err);
    if (st >= 0)
        st = pen_failpoint("store.before-publish", err);
    *outcome = PEN_PUT_UNKNOWN;
    while (st >= 0) {
        why = (struct pen_error){ 0 };
        st = try_close(u, whole, outcome, &why);
        if ((st == PEN_SKIP || (st == PEN_OK && *outcome == PEN_PUT_LOST)) && ask_again(&looks))
            continue;
        if (st == PEN_SKIP)
            st = pen_fail(&why, PEN_FATAL, "s3://%s/%s: its upload is gone, and there is no such object: it was aborted, or the store lost it while it was ended",
                          u->target.bucket, u->target.key);
        if (st == PEN_OK && *outcome == PEN_PUT_LOST)
            st = pen_fail(&why, PEN_FATAL, "s3://%s/%s: the store lost the parts of the upload while it was ended", u->target.bucket, u->target.key);
        if (st == PEN_OK && *outcome != PEN_PUT_UNKNOWN)
            break;
        if (st == PEN_OK)
            pen_fail(&why, PEN_RETRY, "s3://%s/%s: it is not known whether it was stored", u->target.bucket, u->target.key);
        again = (st == PEN_OK || st == PEN_RETRY) && s3_wait(u->store, &patience, NULL, &why);
        if (!again)
            break;
        st = PEN_OK;
    }
    if (st < 0 && why.code < 0)
        pen_fail(err, st, "%s", why.msg);
    if (st == PEN_OK && *outcome == PEN_PUT_DONE) {
        s3_upload_free(u);
        if (pen_failpoint("store.after-publish", NULL) < 0)
            *outcome = PEN_PUT_UNKNOWN;
    } else {
        s3_pool_abandon(u);
    }
    return st;
}

/* -- staged --------------------------------------------------------------------------------------------------------------------------------------- */

/* A token: flags, our id, S3's id of the upload, bucket and key, each encoded, and how many parts, with spaces between. */
pen_status s3_upload_stage(void *upload, char *token, size_t size, struct pen_error *err)
{
    struct s3_upload *u = upload;
    struct pen_text t = { 0 };
    pen_status st = send_rest(u, err);
    if (st >= 0) {
        pen_text_format(&t, "%u %s ", u->flags, u->own_id);
        aws_encode(&t, u->upload_id, strlen(u->upload_id), false);
        pen_text_format(&t, " %s ", u->target.bucket);
        aws_encode(&t, u->target.key, strlen(u->target.key), true);
        pen_text_format(&t, " %zu", u->parts.n);
        if (!aws_text(&t) || t.n >= size)
            st = pen_fail(err, PEN_FATAL, "s3://%s/%s: no room for what names the staged object", u->target.bucket, u->target.key);
        else
            memcpy(token, t.bytes, t.n + 1);
    }
    pen_text_fini(&t);
    if (st < 0)
        s3_pool_abandon(u);
    else
        s3_upload_free(u);
    return st;
}

struct staged {
    unsigned flags;
    char own_id[S3_OWN_ID];
    char upload_id[2048];
    struct s3_target target;
    size_t parts; /* 0: not known */
};

/* Copies one field of a token, decoded. */
static bool take_field(const char **p, char *out, size_t size)
{
    size_t n = 0;
    for (; **p && **p != ' '; (*p)++) {
        unsigned c = (unsigned char)**p;
        if (c == '%' && sscanf(*p + 1, "%2x", &c) == 1)
            *p += 2;
        if (n + 1 >= size || !c)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    *p += **p == ' ';
    return true;
}

static pen_status parse_token(struct staged *s, const char *token, struct pen_error *err)
{
    char flags[12], parts[12];
    const char *p = token;
    memset(s, 0, sizeof *s);
    if (!take_field(&p, flags, sizeof flags) || !take_field(&p, s->own_id, sizeof s->own_id) || !take_field(&p, s->upload_id, sizeof s->upload_id) ||
        !take_field(&p, s->target.bucket, sizeof s->target.bucket) || !take_field(&p, s->target.key, sizeof s->target.key) ||
        !take_field(&p, parts, sizeof parts) || !s->upload_id[0] || !s->target.key[0])
        return pen_fail(err, PEN_FATAL, "\"%s\" names no staged object of S3", token);
    s->flags = (unsigned)strtoul(flags, NULL, 10);
    s->parts = strtoul(parts, NULL, 10);
    return PEN_OK;
}

/* As settle(). */
static pen_status try_publish(struct s3_store *s, const struct staged *staged, pen_put_outcome *outcome, struct pen_error *err)
{
    struct s3_parts parts = { 0 };
    *outcome = PEN_PUT_UNKNOWN;
    pen_status st = s3_list_parts(s, &staged->target, staged->upload_id, &parts, err);
    if (st == PEN_OK && (!parts.n || parts.n < staged->parts))
        *outcome = PEN_PUT_LOST;
    else if (st == PEN_OK)
        st = s3_complete_upload(s, &staged->target, staged->upload_id, &parts, staged->flags, outcome, err);
    free(parts.v);
    return settle(s, &staged->target, staged->own_id, staged->flags, st, outcome, err);
}

pen_status s3_publish(void *ctx, const char *token, pen_put_outcome *outcome, struct pen_error *err)
{
    struct s3_store *s = ctx;
    struct staged staged;
    int looks = 0;
    pen_status st = parse_token(&staged, token, err);
    *outcome = PEN_PUT_UNKNOWN;
    if (st >= 0)
        st = pen_failpoint("store.before-publish", err);
    if (st < 0)
        return st;
    do
        st = try_publish(s, &staged, outcome, err);
    while ((st == PEN_SKIP || (st == PEN_OK && (*outcome == PEN_PUT_LOST || *outcome == PEN_PUT_UNKNOWN))) && ask_again(&looks));
    if (st == PEN_SKIP) /* aborted, by a lifecycle rule for one, or lost by the store while it was ended */
        *outcome = PEN_PUT_LOST;
    return st == PEN_SKIP ? PEN_OK : st;
}

/* The upload goes first: what is gone cannot be ended by a request that is still on its way, and the object cannot come later. */
pen_status s3_discard(void *ctx, const char *token, struct pen_error *err)
{
    struct s3_store *s = ctx;
    struct staged staged;
    struct s3_parts parts = { 0 };
    pen_put_outcome outcome;
    pen_status st = parse_token(&staged, token, err);
    if (st >= 0)
        st = pen_failpoint("store.before-discard", err);
    if (st >= 0)
        st = s3_abort_upload(s, &staged.target, staged.upload_id, err);
    if (st < 0)
        return st;
    st = s3_list_parts(s, &staged.target, staged.upload_id, &parts, err);
    free(parts.v);
    if (st == PEN_OK)
        return pen_fail(err, PEN_RETRY, "s3://%s/%s: its upload was aborted and is still there", staged.target.bucket, staged.target.key);
    if (st == PEN_SKIP)
        st = look_whose(s, &staged.target, staged.own_id, &outcome, err);
    return st == PEN_OK && outcome == PEN_PUT_DONE ? s3_remove_object(s, &staged.target, err) : st;
}
