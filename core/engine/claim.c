/* claim.c - a folder without a log belongs to one stage of one pipeline with one `state`, which holds its positions: a marker in it says whose it is, and an
 * id in `state` tells that folder from any other. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <penstock/plugin.h>

#define MARKER "_penstock/writer"

pen_status pen_state_id(const struct pen_host *host, char id[PEN_STATE_ID], struct pen_error *err)
{
    char url[4096], name[300], stage[200], *found;
    uint64_t random[2];
    size_t n;
    pen_put_outcome outcome;
    snprintf(name, sizeof name, "%s.id", pen_path_escape(stage, sizeof stage, pen_stage_name(host), strlen(pen_stage_name(host))));
    pen_status st = pen_url_join(url, sizeof url, pen_state_path(host), name, err);
    if (st < 0 || (st = pen_store_get(host, url, 64, &found, &n, err)) < 0)
        return st;
    if (st == PEN_OK) {
        snprintf(id, PEN_STATE_ID, "%s", found);
        free(found);
        return strlen(id) == PEN_STATE_ID - 1 ? PEN_OK : pen_fail(err, PEN_FATAL, "%s is damaged: expected 32 digits", url);
    }
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return pen_fail(err, PEN_FATAL, "no random numbers to be had");
    snprintf(id, PEN_STATE_ID, "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
    st = pen_store_put(host, url, id, PEN_STATE_ID - 1, PEN_PUT_IF_ABSENT, &outcome, err);
    return st < 0 || outcome == PEN_PUT_DONE ? st : pen_fail(err, PEN_FATAL, "%s: it is not known whether it was written", url);
}

pen_status pen_store_claim(const struct pen_host *host, const char *folder, unsigned flags, struct pen_error *err)
{
    char url[4096], stage[1024], owner[1100], id[PEN_STATE_ID], *found;
    size_t n;
    pen_put_outcome outcome;
    pen_status st = pen_url_join(url, sizeof url, folder, MARKER, err);
    if (st < 0 || (st = pen_state_id(host, id, err)) < 0)
        return st;
    snprintf(stage, sizeof stage, "%s/%s", pen_pipeline_name(host), pen_stage_name(host));
    snprintf(owner, sizeof owner, "%s %s\n", stage, id);
    st = pen_store_put(host, url, owner, strlen(owner), PEN_PUT_IF_ABSENT | flags, &outcome, err);
    if (st < 0 || outcome == PEN_PUT_DONE)
        return st;
    st = pen_store_get(host, url, sizeof owner, &found, &n, err);
    if (st < 0)
        return st;
    if (st == PEN_SKIP)
        return pen_fail(err, PEN_RETRY, "%s: it is not known whether it was written", url);
    if (strncmp(found, stage, strlen(stage)) != 0 || found[strlen(stage)] != ' ') {
        found[strcspn(found, " \n")] = 0;
        st = pen_fail(err, PEN_FATAL, "%s belongs to the stage %s: give this one another path, or remove %s if that one is gone", folder, found, url);
    } else if (strcmp(found, owner) != 0) {
        st = pen_fail(err, PEN_FATAL, "%s was written by a %s whose positions are not in %s: from here every row would come again. Start with that "
                      "one's state, or with an empty folder; removing %s gives the folder to this one", folder, stage, pen_state_path(host), url);
    }
    free(found);
    return st;
}
