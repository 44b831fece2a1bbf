/* main.c - the penstock command: finds the verb and runs it. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

int main(int argc, char **argv)
{
    fprintf(stderr, "penstock: no such command: %s\n", argc > 1 ? argv[1] : "");
    return 2;
}
