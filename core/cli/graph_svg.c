/* graph_svg.c - a pipeline drawn from left to right: a box for each stage, a colour for each segment (what commits together).
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define BOX_HEIGHT 52.0
#define GAP_X 90.0
#define GAP_Y 22.0
#define MARGIN 24.0
#define CHARACTER 7.6 /* width, about, of one of the 13 px font */

struct box {
    size_t layer;
    double x, y, width;
    int segment; /* -1: a transport, the end of several */
};
struct edge {
    size_t from, to;
    const char *output; /* NULL: all */
    size_t group;       /* of edges that commit together: index of one of them */
};
struct drawing {
    const struct pen_config *c;
    struct box *boxes;
    struct edge *edges;
    size_t n_edges, n_layers;
    double width, height;
};

static const struct {
    const char *fill, *line;
} colours[] = {
    { "#e3f0fb", "#2c6fab" }, { "#e6f5e6", "#3a8a3f" }, { "#fdeedd", "#c26a15" }, { "#f1e8f8", "#7d4aa3" },
    { "#fde7ea", "#b73a50" }, { "#e1f4f3", "#1f8580" }, { "#fbf5d9", "#96790c" }, { "#ececf7", "#4c4f9e" },
};
#define N_COLOURS (int)(sizeof colours / sizeof *colours)

static void put_text(const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': fputs("&amp;", stdout); break;
        case '<': fputs("&lt;", stdout); break;
        case '>': fputs("&gt;", stdout); break;
        case '"': fputs("&quot;", stdout); break;
        default: putchar((unsigned char)*text < 0x20 ? ' ' : *text);
        }
}

static double text_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return CHARACTER * (double)n;
}

/* -- segments ------------------------------------------------------------------------------------------------------------------ */

static size_t group_of(struct drawing *d, size_t i)
{
    while (d->edges[i].group != i)
        i = d->edges[i].group = d->edges[d->edges[i].group].group;
    return i;
}

/* Edges that meet in a stage commit together, but for those that part at a transport. */
static void group_edges(struct drawing *d)
{
    for (size_t s = 0; s < d->c->n_stages; s++) {
        bool transport = d->c->stages[s].kind == PEN_STAGE_TRANSPORT;
        size_t first = SIZE_MAX;
        for (size_t i = 0; i < d->n_edges; i++) {
            if (d->edges[i].to != s && (transport || d->edges[i].from != s))
                continue;
            if (first == SIZE_MAX)
                first = i;
            else
                d->edges[group_of(d, i)].group = group_of(d, first);
        }
    }
}

static void colour_boxes(struct drawing *d)
{
    int *colour = calloc(d->n_edges + 1, sizeof *colour), next = 0;
    for (size_t i = 0; i < d->c->n_stages; i++)
        d->boxes[i].segment = -1;
    for (size_t i = 0; colour && i < d->n_edges; i++) {
        struct edge *e = &d->edges[i];
        size_t g = group_of(d, i);
        if (!colour[g])
            colour[g] = ++next;
        if (d->c->stages[e->from].kind != PEN_STAGE_TRANSPORT)
            d->boxes[e->from].segment = colour[g] - 1;
        if (d->c->stages[e->to].kind != PEN_STAGE_TRANSPORT)
            d->boxes[e->to].segment = colour[g] - 1;
    }
    free(colour);
}

/* -- places -------------------------------------------------------------------------------------------------------------------- */

/* A layer behind the last of what a stage reads. The graph has no cycles. */
static void find_layers(struct drawing *d)
{
    bool moved = true;
    for (size_t round = 0; moved && round <= d->c->n_stages; round++) {
        moved = false;
        for (size_t i = 0; i < d->n_edges; i++)
            if (d->boxes[d->edges[i].to].layer <= d->boxes[d->edges[i].from].layer) {
                d->boxes[d->edges[i].to].layer = d->boxes[d->edges[i].from].layer + 1;
                moved = true;
            }
    }
    for (size_t i = 0; i < d->c->n_stages; i++)
        if (d->boxes[i].layer + 1 > d->n_layers)
            d->n_layers = d->boxes[i].layer + 1;
}

/* Where a box would like to be: at the mean height of what it reads. */
static double wanted_y(const struct drawing *d, size_t box)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < d->n_edges; i++)
        if (d->edges[i].to == box) {
            sum += d->boxes[d->edges[i].from].y;
            n++;
        }
    return n ? sum / (double)n : 0;
}

/* Places the boxes of one layer from top to bottom, none over another; returns how wide the layer is. */
static double place_layer(struct drawing *d, size_t layer, double x)
{
    double width = 0, y = MARGIN;
    for (;;) {
        size_t best = SIZE_MAX;
        double best_y = 0;
        for (size_t i = 0; i < d->c->n_stages; i++) { /* the next by height; equal ones in the file's order */
            double at = wanted_y(d, i);
            if (d->boxes[i].layer == layer && d->boxes[i].x < 0 && (best == SIZE_MAX || at < best_y)) {
                best = i;
                best_y = at;
            }
        }
        if (best == SIZE_MAX)
            return width;
        d->boxes[best].x = x;
        d->boxes[best].y = best_y > y ? best_y : y;
        y = d->boxes[best].y + BOX_HEIGHT + GAP_Y;
        width = d->boxes[best].width > width ? d->boxes[best].width : width;
        d->height = y - GAP_Y + MARGIN > d->height ? y - GAP_Y + MARGIN : d->height;
    }
}

static double longest_label(const struct drawing *d, size_t layer)
{
    double longest = 0;
    for (size_t i = 0; i < d->n_edges; i++) {
        double w = d->boxes[d->edges[i].from].layer == layer ? text_width(d->edges[i].output ? d->edges[i].output : "*") : 0;
        longest = w > longest ? w : longest;
    }
    return longest;
}

static void place_boxes(struct drawing *d)
{
    double x = MARGIN;
    for (size_t i = 0; i < d->c->n_stages; i++) {
        const struct pen_stage_config *s = &d->c->stages[i];
        double below = text_width(pen_stage_kind_name(s->kind)) + text_width(s->plugin ? s->plugin : "?") + 3 * CHARACTER;
        d->boxes[i].width = (text_width(s->name) > below ? text_width(s->name) : below) + 28;
        d->boxes[i].x = -1;
    }
    for (size_t layer = 0; layer < d->n_layers; layer++) {
        double width = place_layer(d, layer, x);
        d->width = x + width + MARGIN;
        x += width + GAP_X + longest_label(d, layer);
    }
}

/* -- drawing ------------------------------------------------------------------------------------------------------------------- */

static const char *line_colour(const struct drawing *d, const struct edge *e)
{
    int a = d->boxes[e->from].segment, b = d->boxes[e->to].segment, s = a >= 0 ? a : b;
    return s >= 0 ? colours[s % N_COLOURS].line : "#777777";
}

static void draw_edge(const struct drawing *d, const struct edge *e)
{
    const struct box *a = &d->boxes[e->from], *b = &d->boxes[e->to];
    double x1 = a->x + a->width, y1 = a->y + BOX_HEIGHT / 2, x2 = b->x - 7, y2 = b->y + BOX_HEIGHT / 2, bend = (x2 - x1) / 2;
    const char *colour = line_colour(d, e);
    printf("<path d=\"M%.1f %.1f C%.1f %.1f %.1f %.1f %.1f %.1f\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\"/>\n", x1, y1, x1 + bend, y1,
           x2 - bend, y2, x2, y2, colour);
    printf("<path d=\"M%.1f %.1f l-8 -4.5 v9 z\" fill=\"%s\"/>\n", x2 + 7, y2, colour);
    if (!e->output || e->output[0]) {
        double t = 0.62, u = 1 - t; /* a point of the curve where those that begin together have parted */
        double y = u * u * u * y1 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t * t * t * y2;
        double x = u * u * u * x1 + 3 * u * u * t * (x1 + bend) + 3 * u * t * t * (x2 - bend) + t * t * t * x2;
        printf("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"11\" fill=\"%s\" stroke=\"#ffffff\" stroke-width=\"3\" "
               "paint-order=\"stroke\">",
               x, y - 5, colour);
        put_text(e->output ? e->output : "*");
        printf("</text>\n");
    }
}

static void draw_box(const struct drawing *d, size_t i)
{
    const struct pen_stage_config *s = &d->c->stages[i];
    const struct box *b = &d->boxes[i];
    bool plain = b->segment < 0;
    printf("<g>\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%d\" fill=\"%s\" stroke=\"%s\" stroke-width=\"1.4\"/>\n", b->x, b->y,
           b->width, BOX_HEIGHT, s->kind == PEN_STAGE_TRANSPORT ? 22 : 6, plain ? "#f3f3f3" : colours[b->segment % N_COLOURS].fill,
           plain ? "#777777" : colours[b->segment % N_COLOURS].line);
    printf("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"13\" font-weight=\"bold\" fill=\"#222222\">", b->x + b->width / 2, b->y + 22);
    put_text(s->name);
    printf("</text>\n<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"12\" fill=\"#555555\">", b->x + b->width / 2, b->y + 39);
    put_text(pen_stage_kind_name(s->kind));
    fputs(" · ", stdout);
    put_text(s->plugin ? s->plugin : "?");
    printf("</text>\n</g>\n");
}

static void draw(const struct drawing *d)
{
    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
           "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">\n<title>",
           d->width, d->height, d->width, d->height);
    put_text(d->c->pipeline.name);
    printf("</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n");
    for (size_t i = 0; i < d->n_edges; i++)
        draw_edge(d, &d->edges[i]);
    for (size_t i = 0; i < d->c->n_stages; i++)
        draw_box(d, i);
    printf("</svg>\n");
}

bool pen_cli_graph_svg(const struct pen_config *c)
{
    struct drawing d = { .c = c };
    size_t n = 0;
    bool good;
    for (size_t i = 0; i < c->n_stages; i++)
        n += c->stages[i].n_inputs;
    d.boxes = calloc(c->n_stages + 1, sizeof *d.boxes);
    d.edges = calloc(n + 1, sizeof *d.edges);
    good = d.boxes && d.edges;
    for (size_t i = 0; good && i < c->n_stages; i++)
        for (size_t k = 0; k < c->stages[i].n_inputs; k++, d.n_edges++)
            d.edges[d.n_edges] = (struct edge){ c->stages[i].inputs[k].stage->index, i, c->stages[i].inputs[k].output, d.n_edges };
    if (good) {
        group_edges(&d);
        colour_boxes(&d);
        find_layers(&d);
        place_boxes(&d);
        draw(&d);
    }
    free(d.boxes);
    free(d.edges);
    return good;
}
