# The geo plugin.
