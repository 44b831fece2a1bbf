#!/bin/sh
# Makes ./configure out of configure.ac; needs autoconf, automake and libtool.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force
