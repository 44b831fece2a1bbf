# The pin plugin.
