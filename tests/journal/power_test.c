/* power_test.c - power loss at every step (cases 6 and 17 of doc/commits.md), on a disk that keeps only what was synced and, of the rest, what chance has it
 * keep. What each loss left is opened afterwards: every commit that was answered must be there whole, and so must every row that a reader had
 * seen; while it is opened, and the log is mended, power is lost again. usage: power_test [SEED]. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "harness.h"
#include "lossy_disk.h"
#include "tests/tap.h"

#define KEY "p/s/src/0"

/* What a plan that fails leaves: blocks that nobody names, of sizes that those after it have too. */
static bool write_in_vain(struct out *out, unsigned i, uint64_t row)
{
    struct pen_error err = { 0 };
    pen_publish_outcome outcome = PEN_PUBLISH_UNKNOWN;
    char plan[24];
    if (i % 5 == 1 && out_write(out, 0, row, 200, false, &err) == PEN_OK)
        journal_sink.abandon(out->lanes[0]);
    if (i % 5 != 3)
        return true;
    snprintf(plan, sizeof plan, "in-vain.%u", i);
    return out_write(out, 0, row, 200, false, &err) == PEN_OK && out_commit(out, plan, KEY, row + 1, row + 200, &outcome, &err) == PEN_OK &&
           outcome == PEN_PUBLISH_REFUSED;
}

/* One or two lanes commit, mostly sealed, some with an id for which a seal has no room. */
static bool commit_some(struct out *out, unsigned life, unsigned i, uint64_t *row, struct pen_error *err)
{
    pen_publish_outcome outcome = PEN_PUBLISH_UNKNOWN;
    uint64_t n = i % 3 == 0 ? 200 : 350;
    char plan[600];
    int length = i % 4 == 3 ? 500 : 0;
    snprintf(plan, sizeof plan, "%u.%u.%0*d", life, i, length, 0);
    now.begun = *row + n;
    if (out_write(out, 0, *row, 200, true, err) < 0 || (n > 200 && out_write(out, 1, *row + 200, n - 200, true, err) < 0) ||
        out_commit(out, plan, KEY, *row ? *row : UINT64_MAX, *row + n, &outcome, err) < 0 || outcome != PEN_PUBLISH_DONE)
        return false;
    now.acknowledged = *row += n;
    return true;
}

/* Commits, a reader that follows and settles; small files roll and are removed; the writer is closed and opened in between. */
static bool live_through(const struct options *o)
{
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    uint64_t row = 0, number = 0;
    bool good = in_open(&in, o, 0, &err) == PEN_OK;
    for (unsigned life = 0; life < 3 && good; life++) {
        good = out_open(&out, o, 2, &err) == PEN_OK;
        for (unsigned i = 0; i < 14 && good; i++) {
            good = write_in_vain(&out, i, row) && commit_some(&out, life, i, &row, &err);
            while (in_read(&in, &number, 1000, &err) == PEN_OK)
                now.seen = in.at;
            good = good && now.seen == row;
            if (i % 3 == 2)
                good = good && in_settle(&in, row);
        }
        good = good && write_in_vain(&out, 3, row);
        out_write(&out, 0, row, 50, true, &err); /* and is killed with this on its way, the second time also before it can tidy up */
        lose_power();
        killed = life == 1;
        out_close(&out);
        killed = false;
    }
    in_close(&in);
    if (!good)
        printf("# %s\n", err.msg);
    return good;
}

/* Whoever has seen rows finds them again, also where nobody writes yet. */
static bool still_seen(const struct options *o, const struct loss *l)
{
    struct pen_error err = { 0 };
    struct in in;
    if (in_open(&in, o, l->seen, &err) < 0) {
        printf("# %s\n", err.msg);
        return false;
    }
    in_close(&in);
    return true;
}

/* All that was answered is shown. */
static bool shows(struct out *out, const struct loss *l, uint64_t *shown)
{
    bool good;
    *shown = out_shown(out, KEY);
    *shown = *shown == UINT64_MAX ? 0 : *shown;
    good = *shown >= l->acknowledged && *shown >= l->seen && *shown <= l->begun;
    if (!good)
        printf("# %s: shown %" PRIu64 ", answered %" PRIu64 ", seen %" PRIu64 ", begun %" PRIu64 "\n", l->path, *shown, l->acknowledged, l->seen, l->begun);
    return good;
}

/* What one loss left: all that was answered is shown, what is shown can be read from the last settled position on, and writing goes on. Power that is lost
 * meanwhile makes further losses. */
static bool survives(const struct loss *l)
{
    struct options o = options_for(l->path);
    struct pen_error err = { 0 };
    struct pen_position pos;
    struct out out;
    struct in in;
    uint64_t shown;
    bool good;
    now = *l;
    now.times++;
    if (l->times < 3)
        begin_tracking(l->path);
    good = chance(2) || still_seen(&o, l);
    if (!good || out_open(&out, &o, 1, &err) < 0) {
        printf("# %s\n", err.msg);
        tracking = false;
        return false;
    }
    good = shows(&out, l, &shown);
    now.begun = shown + 10;
    good = good && out_rows(&out, shown, 10);
    now.acknowledged = now.begun;
    lose_power();
    tracking = false;
    out_close(&out);
    if (!good || in_open(&in, &o, shown, &err) < 0)
        return false;
    journal_source.beginning(in.ctx, 0, true, &pos, &err);
    in_close(&in);
    return holds(&o, pos.w[0], pos.w[0], shown + 10);
}

static void test_power_loss__takes_nothing_that_was_answered(void)
{
    struct options o;
    struct pen_error err = { 0 };
    struct out out;
    char path[320];
    unsigned lost = 0, first;
    snprintf(path, sizeof path, "%s", fresh_path());
    o = options_for(path);
    o.segment_size = 65536;
    o.retention_bytes = 524288;
    if (out_open(&out, &o, 0, &err) < 0) { /* the folders, from which names are counted */
        ok(false, "a journal is made: %s", err.msg);
        return;
    }
    out_close(&out);
    begin_tracking(path);
    ok(live_through(&o), "a journal is written, read, settled, trimmed and opened again");
    tracking = false;
    first = losses;
    for (unsigned i = 0; i < losses; i++)
        lost += !survives(&loss[i]);
    ok(first > 150 && losses > 2 * first && lost == 0,
       "after each of %u power losses, and %u more while it was opened again, every answered commit and every row seen is there (%u are not)",
       first, losses - first, lost);
    ok(mended > 20, "%u times the log had lost commits, which were found in segments", mended);
}

/* Commits, is killed just before the last one's sync, and opens what lies in memory then; power is lost meanwhile and afterwards. */
static bool live_on_after_kill(const struct options *o)
{
    struct out out;
    struct pen_error err = { 0 };
    uint64_t row = 0, done;
    bool good = out_open(&out, o, 1, &err) == PEN_OK;
    for (unsigned i = 0; i < 3; i++)
        good = good && commit_some(&out, 0, 3 * i, &row, &err);
    done = row;
    kill_at_sync = 1;
    good = good && commit_some(&out, 0, 9, &row, &err);
    now.acknowledged = done; /* nobody has lived to say more */
    out_close(&out);
    good = good && killed;
    killed = false;
    if (!good || out_open(&out, o, 1, &err) < 0)
        return false;
    row = out_shown(&out, KEY);
    good = row == done || row == now.begun;
    now.acknowledged = row;
    for (unsigned i = 0; i < 4; i++)
        lose_power();
    good = good && commit_some(&out, 1, 0, &row, &err);
    out_close(&out);
    return good;
}

static void test_power_loss__after_a_kill_takes_nothing_that_was_shown(void)
{
    bool good = true;
    unsigned first, lost = 0;
    losses = 0;
    for (unsigned i = 0; i < 12 && good; i++) {
        char path[320];
        struct options o;
        struct pen_error err = { 0 };
        struct out out;
        snprintf(path, sizeof path, "%s", fresh_path());
        o = options_for(path);
        good = out_open(&out, &o, 0, &err) == PEN_OK;
        if (good)
            out_close(&out);
        now = (struct loss){ .times = 2 };
        begin_tracking(path);
        good = good && live_on_after_kill(&o);
        tracking = false;
    }
    ok(good, "writers are killed before the sync of a commit, and go on");
    first = losses;
    for (unsigned i = 0; i < first; i++)
        lost += !survives(&loss[i]);
    ok(first > 100 && lost == 0, "after each of %u power losses then, what was shown is there (%u are not)", first, lost);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261;
    printf("# seed %" PRIu64 "\n", seed);
    test_power_loss__takes_nothing_that_was_answered();
    test_power_loss__after_a_kill_takes_nothing_that_was_shown();
    return done_testing();
}
