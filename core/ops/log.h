/* log.h - the log of the process: text or JSON lines, to standard error or a file. Any thread; each line is one write(). A line that cannot be
 * written (disk full) is counted and said with the next that can be: the log never stops a run.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_OPS_LOG_H
#define PENSTOCK_OPS_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#include <penstock/error.h>
#include <penstock/plugin.h>

/* path NULL: standard error. Until called: text of info and above to standard error. Answers PEN_BADCONF where the file cannot be opened. */
pen_status pen_log_open(const char *path, bool json, pen_log_level level, struct pen_error *err);
void pen_log_close(void);
/* Marks the file to be opened again before the next line (after a rotation). Safe in a signal handler. */
void pen_log_reopen(void);
bool pen_log_wanted(pen_log_level level);
/* One line; pipeline and stage may be NULL. The message is escaped: it stays one line whatever its arguments hold. */
__attribute__((format(printf, 4, 5))) void pen_log_line(pen_log_level level, const char *pipeline, const char *stage, const char *fmt, ...);
__attribute__((format(printf, 4, 0))) void pen_log_vline(pen_log_level level, const char *pipeline, const char *stage, const char *fmt,
                                                         va_list ap);
const char *pen_log_level_name(pen_log_level level);

#endif
