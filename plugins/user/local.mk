# The user plugin.
