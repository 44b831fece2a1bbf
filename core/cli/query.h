/* query.h - the commands that need no running pipeline; argv[0] is the verb, the answer an exit status. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CLI_QUERY_H
#define PENSTOCK_CLI_QUERY_H

int pen_cli_query(int argc, char **argv);
int pen_cli_table(int argc, char **argv); /* argv[0]: "table" or "transport", the noun of the plugins' verbs */
int pen_cli_filter(int argc, char **argv);

#endif
