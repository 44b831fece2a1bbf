# The file plugin.
