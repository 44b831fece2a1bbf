/* broken.c - what the loader must refuse, one way for each macro. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/plugin.h>

static const struct pen_transform transform __attribute__((unused)) = { .ctx_size = 1 };

#if defined OLD_ABI /* built for another version */
extern const struct pen_plugin oldabi_LTX_pen_plugin;
const struct pen_plugin oldabi_LTX_pen_plugin = { .abi = PEN_ABI + 41, .name = "oldabi", .transform = &transform };

#elif defined MISNAMED /* a copy under another file name */
extern const struct pen_plugin misnamed_LTX_pen_plugin;
const struct pen_plugin misnamed_LTX_pen_plugin = { .abi = PEN_ABI, .name = "rightname", .transform = &transform };

#elif defined UNRESOLVED /* needs what nobody has */
void no_library_has_this(void);
static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    (void)ctx, (void)host, (void)err;
    no_library_has_this();
    return PEN_OK;
}
static const struct pen_transform needy = { .ctx_size = 1, .start = start };
extern const struct pen_plugin unresolved_LTX_pen_plugin;
const struct pen_plugin unresolved_LTX_pen_plugin = { .abi = PEN_ABI, .name = "unresolved", .transform = &needy };

#else /* a module, but no plugin */
extern const struct pen_transform *no_plugin;
const struct pen_transform *no_plugin = &transform;
#endif
