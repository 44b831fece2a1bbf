# The delta plugin.
