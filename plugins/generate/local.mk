# The generate plugin.
