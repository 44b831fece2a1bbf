# The journal plugin.
