/* maintain.c - what a running sink does for its table between commits: checkpoints, clean-up of the log, positions that must not expire. A
 * failure of these is a warning: the commits stand.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "delta.h"

enum { FILES_PER_COMMIT = 64 };
static const int64_t clean_up_every_us = INT64_C(3600) * 1000000;

/* A checkpoint costs as much as the table has files, so their distance grows with it: a commit pays for 64 files at most. */
static bool checkpoint_is_due(const struct delta_sink *d)
{
    int64_t last = d->state.checkpoint > 0 ? d->state.checkpoint : 0, since = d->state.version - last, distance = d->state.live / FILES_PER_COMMIT;
    return since >= (distance > d->checkpoint_interval ? distance : d->checkpoint_interval);
}

static pen_status checkpoint(struct delta_sink *d, struct pen_error *err)
{
    int64_t files = d->state.live, deleted = 0, now = pen_now(d->host);
    pen_status st = delta_checkpoint_write(d->path, d->host, d->state.version, delta_put_flags(d), &files, err);
    d->state.checkpoint = d->state.version; /* also after a failure: the next attempt is one distance away */
    d->state.live = files;
    if (st >= 0 && (d->cleaned_at == 0 || now - d->cleaned_at > clean_up_every_us)) {
        d->cleaned_at = now;
        st = delta_clean_up(&d->state, d->host, &deleted, err);
        if (deleted)
            pen_log(d->host, PEN_LOG_INFO, "%s: removed %lld files of the log older than its retention", d->path, (long long)deleted);
    }
    return st;
}

/* Writes positions of this sink again that are half way to their expiry (delta.setTransactionRetentionDuration). */
static pen_status renew(struct delta_sink *d, struct pen_error *err)
{
    struct delta_text t = { 0 };
    int64_t now, keep = delta_interval(delta_pairs_get(&d->state.metadata.configuration, "delta.setTransactionRetentionDuration"), -1);
    size_t renewed = 0;
    if (keep < 0 || !d->own[0])
        return PEN_OK;
    pen_status st = delta_store_time(d, &now, err);
    if (st < 0)
        return st;
    delta_write_commit_info(d, &t, "WRITE", "{\"mode\":\"Append\"}", NULL, true);
    for (size_t i = 0; i < d->state.n_txns; i++) {
        struct delta_txn *x = &d->state.txns[i];
        if (strncmp(x->app, d->own, strlen(d->own)) != 0 || (x->updated != INT64_MIN && now - x->updated < keep / 2))
            continue;
        delta_write_txn(&t, x->app, x->version, now);
        renewed++;
    }
    bool jumped = false, gone = false;
    pen_put_outcome outcome = PEN_PUT_DONE;
    if (renewed)
        st = delta_catch_up(d, NULL, &jumped, &gone, err);
    if (st >= 0 && renewed && !jumped && !gone)
        st = delta_put_entry(d, d->state.version + 1, &t, &outcome, err);
    if (st >= 0 && renewed && !gone) /* whatever lies there now, ours or another's: read it */
        st = delta_state_follow(&d->state, d->host, INT64_MAX, NULL, err);
    delta_text_fini(&t);
    return st;
}

pen_status delta_maintain(struct delta_sink *d, struct pen_error *err)
{
    struct pen_error mine = { 0 };
    (void)err;
    if (d->open_plan[0])
        return PEN_OK;
    if (checkpoint_is_due(d) && checkpoint(d, &mine) < 0)
        pen_log(d->host, PEN_LOG_WARN, "%s", mine.msg);
    mine = (struct pen_error){ 0 };
    if (renew(d, &mine) < 0)
        pen_log(d->host, PEN_LOG_WARN, "%s", mine.msg);
    return PEN_OK;
}
