/* xml.h - a cursor over the XML that services answer with: elements and their text. No DTDs, so no entities but the five; attributes are passed
 * over. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_XML_H
#define PEN_AWS_XML_H

#include <penstock/records.h>

enum { AWS_XML_DEPTH = 32, AWS_XML_NAME = 64 };

typedef enum { AWS_XML_OPEN, AWS_XML_CLOSE } aws_xml_kind;

struct aws_xml {
    const char *p, *end;
    const char *why;            /* NULL: all well so far */
    aws_xml_kind kind;
    char name[AWS_XML_NAME];    /* of the element, without its namespace's prefix */
    unsigned depth;             /* of open elements, this one included */
    struct pen_text text;       /* at a CLOSE: the text since the last OPEN, with a NUL behind */
    struct { const char *p; size_t n; } open[AWS_XML_DEPTH];
    bool empty;                 /* "<a/>": its CLOSE comes next */
};

/* Text must outlive the cursor. */
void aws_xml_init(struct aws_xml *x, const char *text, size_t n);
/* The next beginning or end of an element; false at the end, and where the text is no XML (`why`). */
bool aws_xml_next(struct aws_xml *x);
/* Whether the element that closes has this name and the element around it (NULL: whatever) that one. */
bool aws_xml_leaf(const struct aws_xml *x, const char *around, const char *name);
void aws_xml_fini(struct aws_xml *x);

#endif
