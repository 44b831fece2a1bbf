/* preload.h - for libraries that stand before the C library's functions. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_PRELOAD_H
#define PENSTOCK_TESTS_PRELOAD_H

#include <dlfcn.h>

/* `next` is the next definition of a function: the C library's. */
#define NEXT(result, name, ...)                                               \
    static result (*next)(__VA_ARGS__);                                       \
    if (!next)                                                                \
        *(void **)&next = dlsym(RTLD_NEXT, #name)

#endif
