/* schema.c - see schema.h. SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_DEPTH = 32 };

/* -- text to fields ----------------------------------------------------------------------------------------------------------------- */

static void parse_type(struct delta_json *j, struct delta_field *f, int depth);

static void parse_field(struct delta_json *j, struct delta_field *f, int depth)
{
    char key[32];
    f->metadata = "{}";
    f->nullable = true;
    if (!delta_json_object(j))
        return;
    while (delta_json_key(j, key, sizeof key)) {
        if (strcmp(key, "name") == 0)
            f->name = delta_json_string(j);
        else if (strcmp(key, "type") == 0)
            parse_type(j, f, depth);
        else if (strcmp(key, "nullable") == 0)
            f->nullable = delta_json_bool(j, true);
        else if (strcmp(key, "metadata") == 0) {
            struct delta_slice s = delta_json_skip(j);
            f->metadata = s.n ? delta_arena_copy(j->arena, s.p, s.n) : "{}";
        } else
            delta_json_skip(j);
    }
}

static void parse_fields(struct delta_json *j, struct delta_field *f, int depth)
{
    size_t room = 0;
    if (!delta_json_array(j))
        return;
    while (delta_json_item(j)) {
        if (f->n == room) {
            room = room ? room * 2 : 8;
            struct delta_field *v = delta_arena_new(j->arena, room * sizeof *v);
            if (!v)
                return;
            if (f->n)
                memcpy(v, f->children, f->n * sizeof *v);
            f->children = v;
        }
        parse_field(j, &f->children[f->n++], depth + 1);
    }
}

/* {"type":"struct","fields":[…]}, {"type":"array","elementType":…,"containsNull":…}, {"type":"map","keyType":…,"valueType":…,"valueContainsNull":…} */
static void parse_nested(struct delta_json *j, struct delta_field *f, int depth)
{
    char key[32];
    struct delta_field *two = delta_arena_new(j->arena, 2 * sizeof *two);
    if (!two || !delta_json_object(j))
        return;
    two[0] = (struct delta_field){ .name = "element", .nullable = true, .metadata = "{}" };
    two[1] = (struct delta_field){ .name = "value", .nullable = true, .metadata = "{}" };
    while (delta_json_key(j, key, sizeof key)) {
        if (strcmp(key, "type") == 0)
            f->type = delta_json_string(j);
        else if (strcmp(key, "fields") == 0)
            parse_fields(j, f, depth);
        else if (strcmp(key, "elementType") == 0 || strcmp(key, "keyType") == 0)
            parse_type(j, &two[0], depth + 1);
        else if (strcmp(key, "valueType") == 0)
            parse_type(j, &two[1], depth + 1);
        else if (strcmp(key, "containsNull") == 0)
            two[0].nullable = delta_json_bool(j, true);
        else if (strcmp(key, "valueContainsNull") == 0)
            two[1].nullable = delta_json_bool(j, true);
        else
            delta_json_skip(j);
    }
    bool map = f->type && strcmp(f->type, "map") == 0;
    if (map || (f->type && strcmp(f->type, "array") == 0)) {
        f->children = two;
        f->n = map ? 2 : 1;
    }
    if (map) {
        two[0].name = "key";
        two[0].nullable = false;
    }
}

static void parse_type(struct delta_json *j, struct delta_field *f, int depth)
{
    if (depth > MAX_DEPTH && !j->why)
        j->why = "its types lie too deep in one another";
    else if (delta_json_is(j, '{'))
        parse_nested(j, f, depth);
    else
        f->type = delta_json_string(j);
}

static bool is_nested(const struct delta_field *f)
{
    return strcmp(f->type, "struct") == 0 || strcmp(f->type, "array") == 0 || strcmp(f->type, "map") == 0;
}

static bool is_whole(const struct delta_field *f)
{
    if (!f->name || !f->type || (strcmp(f->type, "array") == 0 && f->n != 1) || (strcmp(f->type, "map") == 0 && f->n != 2))
        return false;
    for (size_t i = 0; i < f->n; i++)
        if (!is_whole(&f->children[i]))
            return false;
    return true;
}

const char *delta_schema_parse(struct delta_field *out, struct delta_arena *arena, const char *text)
{
    struct delta_json j;
    delta_json_init(&j, arena, text, strlen(text));
    *out = (struct delta_field){ .name = "", .metadata = "{}" };
    parse_type(&j, out, 0);
    if (!delta_json_end(&j))
        return j.why;
    if (arena->failed)
        return "out of memory";
    if (!is_whole(out))
        return "a field without a name or a whole type";
    return strcmp(out->type, "struct") == 0 ? NULL : "expected a struct";
}

/* -- fields to text ----------------------------------------------------------------------------------------------------------------- */

static void write_type(struct delta_text *t, const struct delta_field *f)
{
    if (!is_nested(f)) {
        delta_text_quote(t, f->type);
    } else if (strcmp(f->type, "struct") == 0) {
        delta_schema_write(t, f);
    } else if (strcmp(f->type, "array") == 0) {
        delta_text_add(t, "{\"type\":\"array\",\"elementType\":");
        write_type(t, &f->children[0]);
        delta_text_format(t, ",\"containsNull\":%s}", f->children[0].nullable ? "true" : "false");
    } else {
        delta_text_add(t, "{\"type\":\"map\",\"keyType\":");
        write_type(t, &f->children[0]);
        delta_text_add(t, ",\"valueType\":");
        write_type(t, &f->children[1]);
        delta_text_format(t, ",\"valueContainsNull\":%s}", f->children[1].nullable ? "true" : "false");
    }
}

void delta_schema_write(struct delta_text *t, const struct delta_field *f)
{
    delta_text_add(t, "{\"type\":\"struct\",\"fields\":[");
    for (size_t i = 0; i < f->n; i++) {
        const struct delta_field *c = &f->children[i];
        delta_text_add(t, i ? ",{\"name\":" : "{\"name\":");
        delta_text_quote(t, c->name);
        delta_text_add(t, ",\"type\":");
        write_type(t, c);
        delta_text_format(t, ",\"nullable\":%s,\"metadata\":", c->nullable ? "true" : "false");
        delta_text_add(t, c->metadata);
        delta_text_add(t, "}");
    }
    delta_text_add(t, "]}");
}

/* -- Arrow ---------------------------------------------------------------------------------------------------------------------------- */

static const struct { const char *delta, *arrow; } primitives[] = {
    { "string", "u" },  { "long", "l" },   { "integer", "i" }, { "double", "g" }, { "boolean", "b" },  { "binary", "z" },
    { "date", "tdD" },  { "timestamp", "tsu:UTC" },
    { "short", "i" },   { "byte", "i" },   { "float", "g" }, /* only read: as the nearest that holds every value */
};

static pen_status format_of(const struct delta_field *f, const char *url, char buf[32], struct pen_error *err)
{
    int precision, scale, used = 0;
    if (sscanf(f->type, "decimal(%2d,%2d)%n", &precision, &scale, &used) == 2 && f->type[used] == '\0' && used && precision >= 1 && precision <= 38 &&
        scale >= 0 && scale <= precision) {
        snprintf(buf, 32, "d:%d,%d", precision, scale);
        return PEN_OK;
    }
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++)
        if (strcmp(f->type, primitives[i].delta) == 0) {
            snprintf(buf, 32, "%s", primitives[i].arrow);
            return PEN_OK;
        }
    return pen_fail(err, PEN_BADCONF, "%s: column %s has the type %s, which is not supported", url, f->name, f->type);
}

static pen_status to_arrow(const struct delta_field *f, const char *url, struct ArrowSchema *out, struct pen_error *err)
{
    char format[32];
    int64_t flags = f->nullable ? ARROW_FLAG_NULLABLE : 0;
    bool map = strcmp(f->type, "map") == 0;
    pen_status st;
    if (map || strcmp(f->type, "array") == 0) {
        st = pen_schema_init_field(out, "+l", f->name, flags | (map ? PEN_FIELD_MAP : 0), 1, err);
        const struct delta_field entry = { .name = "key_value", .type = "struct", .n = 2, .children = f->children };
        if (st >= 0)
            st = to_arrow(map ? &entry : &f->children[0], url, out->children[0], err);
    } else if (strcmp(f->type, "struct") == 0) {
        st = pen_schema_init_field(out, "+s", f->name, flags, f->n, err);
        for (size_t i = 0; st >= 0 && i < f->n; i++)
            st = to_arrow(&f->children[i], url, out->children[i], err);
    } else {
        st = format_of(f, url, format, err);
        return st < 0 ? st : pen_schema_init_field(out, format, f->name, flags, 0, err);
    }
    if (st < 0)
        pen_schema_release(out);
    return st;
}

pen_status delta_schema_to_arrow(const struct delta_field *f, const char *url, struct ArrowSchema *out, struct pen_error *err)
{
    memset(out, 0, sizeof *out);
    return to_arrow(f, url, out, err);
}

static const char *type_of(const struct ArrowSchema *in, struct delta_arena *arena)
{
    char buf[32];
    int precision, scale;
    if (sscanf(in->format, "d:%d,%d", &precision, &scale) == 2) {
        int n = snprintf(buf, sizeof buf, "decimal(%d,%d)", precision, scale);
        return delta_arena_copy(arena, buf, (size_t)n);
    }
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++)
        if (strcmp(in->format, primitives[i].arrow) == 0)
            return primitives[i].delta;
    return strcmp(in->format, "+s") == 0 ? "struct" : strcmp(in->format, "+l") == 0 ? "array" : NULL;
}

static pen_status from_arrow(struct delta_field *out, struct delta_arena *arena, const struct ArrowSchema *in, int depth, struct pen_error *err)
{
    char name[64];
    const struct ArrowSchema *from = in;
    *out = (struct delta_field){ .name = delta_arena_copy(arena, in->name ? in->name : "", in->name ? strlen(in->name) : 0),
                                 .type = type_of(in, arena), .nullable = in->flags & ARROW_FLAG_NULLABLE, .metadata = "{}" };
    if (!out->type || depth > MAX_DEPTH)
        return pen_fail(err, PEN_BADCONF, "column %s: a Delta table cannot hold %s", in->name ? in->name : "", pen_schema_type_name(in, name, sizeof name));
    if ((in->flags & PEN_FIELD_MAP) && strcmp(in->format, "+l") == 0) {
        out->type = "map";
        from = in->children[0];
    }
    out->n = (size_t)from->n_children;
    out->children = out->n ? delta_arena_new(arena, out->n * sizeof *out->children) : NULL;
    pen_status st = arena->failed ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
    for (size_t i = 0; st >= 0 && i < out->n; i++)
        st = from_arrow(&out->children[i], arena, from->children[i], depth + 1, err);
    return st;
}

pen_status delta_schema_from_arrow(struct delta_field *out, struct delta_arena *arena, const struct ArrowSchema *in, struct pen_error *err)
{
    return from_arrow(out, arena, in, 0, err);
}

/* -- fit ------------------------------------------------------------------------------------------------------------------------------ */

/* Delta knows names regardless of their case. */
static struct delta_field *find(struct delta_field *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcasecmp(f->children[i].name, name) == 0)
            return &f->children[i];
    return NULL;
}

struct fit {
    bool evolve, *grew;
    struct delta_arena *arena;
    const char *url;
    struct pen_error *err;
};

static pen_status fit_field(const struct fit *x, struct delta_field *t, const struct delta_field *in, const char *path);

static pen_status add_column(const struct fit *x, struct delta_field *t, const struct delta_field *in, const char *path)
{
    if (!x->evolve)
        return pen_fail(x->err, PEN_BADCONF, "%s: the table has no column %s; schema = evolve would add it", x->url, path);
    if (!in->nullable)
        return pen_fail(x->err, PEN_BADCONF, "%s: the new column %s is not nullable, so the rows that are there have no value for it", x->url, path);
    struct delta_field *v = delta_arena_new(x->arena, (t->n + 1) * sizeof *v);
    if (!v)
        return pen_fail(x->err, PEN_FATAL, "%s: out of memory", x->url);
    if (t->n)
        memcpy(v, t->children, t->n * sizeof *v);
    v[t->n++] = *in;
    t->children = v;
    *x->grew = true;
    return PEN_OK;
}

static pen_status fit_struct(const struct fit *x, struct delta_field *t, const struct delta_field *in, const char *path)
{
    char below[256];
    pen_status st = PEN_OK;
    for (size_t i = 0; st >= 0 && i < in->n; i++) {
        const struct delta_field *c = &in->children[i];
        struct delta_field *mine = find(t, c->name);
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", c->name);
        if (mine && strcmp(mine->name, c->name) != 0)
            return pen_fail(x->err, PEN_BADCONF, "%s: column %s is called %s in the table", x->url, below, mine->name);
        st = mine ? fit_field(x, mine, c, below) : add_column(x, t, c, below);
    }
    for (size_t i = 0; st >= 0 && i < t->n; i++)
        if (!t->children[i].nullable && !find((struct delta_field *)in, t->children[i].name))
            return pen_fail(x->err, PEN_BADCONF, "%s: the table's column %s%s%s may not be null, and the rows have none", x->url, path, *path ? "." : "",
                            t->children[i].name);
    return st;
}

static pen_status fit_field(const struct fit *x, struct delta_field *t, const struct delta_field *in, const char *path)
{
    if (strcmp(t->type, in->type) != 0)
        return pen_fail(x->err, PEN_BADCONF, "%s: column %s is %s in the table, and the rows bring %s", x->url, path, t->type, in->type);
    if (in->nullable && !t->nullable)
        return pen_fail(x->err, PEN_BADCONF, "%s: column %s may not be null in the table, and in the rows it may", x->url, path);
    if (strcmp(t->type, "struct") == 0)
        return fit_struct(x, t, in, path);
    for (size_t i = 0; i < t->n && i < in->n; i++) {
        pen_status st = fit_field(x, &t->children[i], &in->children[i], path);
        if (st < 0)
            return st;
    }
    return PEN_OK;
}

pen_status delta_schema_fit(struct delta_field *table, const struct delta_field *in, bool evolve, bool *grew, struct delta_arena *arena,
                            const char *url, struct pen_error *err)
{
    struct fit x = { evolve, grew, arena, url, err };
    *grew = false;
    return fit_struct(&x, table, in, "");
}
