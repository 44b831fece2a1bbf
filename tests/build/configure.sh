# What configure decides about plugins: each can be switched off, one that lacks its library is left out and said so, and asking for it by name is
# then an error. SPDX-License-Identifier: Apache-2.0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
n=0 bad=0

if [ -e "$top_srcdir/config.status" ]; then
    echo "1..0 # SKIP the sources are configured in their own folder, where no other build can use them"
    exit 0
fi
ok() { # STATUS WHAT
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# /' log
        bad=1
    fi
}
configure() { # ARGUMENT…: what all other runs have found out is not tried again
    "$top_srcdir/configure" --quiet --cache-file="$work/cache" CC="$CC" "$@" >log 2>&1
}
built() { sed -n 's/^  plugins built://p' log; }

configure
ok $? "configure without arguments"
everything=$(built)
[ -n "$everything" ] && ! grep -q 'rm: ' log
ok $? "says which plugins it builds, and nothing about a folder named core"

off=
for plugin in $everything; do off="$off --disable-$plugin"; done
# shellcheck disable=SC2086
configure $off && [ -z "$(built | tr -d ' ')" ]
ok $? "every plugin can be switched off"
for plugin in $everything; do
    grep -q "^ *$plugin: switched off" log
    ok $? "$plugin: the summary says so"
done

# A pkg-config to which libzstd is unknown; what is remembered about it must not be asked.
printf '#!/bin/sh\ncase "$*" in *libzstd*) exit 1 ;; esac\nexec pkg-config "$@"\n' >without-zstd
chmod +x without-zstd
rm -f cache
configure PKG_CONFIG="$work/without-zstd"
ok $? "configure without libzstd"
for plugin in file parquet delta; do
    grep -q "^ *$plugin: lacks zstd" log
    ok $? "$plugin is left out, and the summary names the library"
done
case " $(built) " in *" journal "*) true ;; *) false ;; esac
ok $? "the others are built"
! configure PKG_CONFIG="$work/without-zstd" --enable-parquet
ok $? "--enable-parquet is an error then"
grep -q 'error: --enable-parquet was given, but a library is missing: zstd' log
ok $? "that names plugin and library"
echo "1..$n"
exit $bad
