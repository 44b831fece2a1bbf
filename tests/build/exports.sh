# What the shared objects export: a plugin its descriptor alone, libpenstock pen_* and all that the SDK declares. SPDX-License-Identifier: Apache-2.0
n=0 bad=0

ok() { # STATUS WHAT NOTE
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        printf '%s\n' "$3" | sed 's/^/# /'
        bad=1
    fi
}

exported() { # OBJECT
    nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort
}

for plugin in $PLUGINS_BUILT; do
    symbols=$(exported "$top_builddir/plugins/$plugin/.libs/$plugin.so")
    [ "$symbols" = "${plugin}_LTX_pen_plugin" ]
    ok $? "$plugin.so exports its descriptor and nothing else" "$symbols"
done

library=$top_builddir/core/.libs/libpenstock.so
symbols=$(exported "$library")
others=$(echo "$symbols" | grep -v '^pen_')
[ -n "$symbols" ] && [ -z "$others" ]
ok $? "libpenstock.so exports pen_* and nothing else" "$others"

# What a header declares and does not define itself: calls and declarations look alike, so the words of inline functions are in it too; all must be there.
declared=$(cat "$top_srcdir"/core/include/penstock/*.h | sed 's|//.*||' | tr '\n' ' ' | sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/| |g' |
    grep -oE '\bpen_[a-z0-9_]+\(' | tr -d '(' | LC_ALL=C sort -u)
inline=$(grep -hoE '^static inline [^(]*\(' "$top_srcdir"/core/include/penstock/*.h | grep -oE 'pen_[a-z0-9_]+\(' | tr -d '(')
missing=
for name in $declared; do
    printf '%s\n' $symbols $inline | grep -qx "$name" || missing="$missing $name"
done
[ -n "$declared" ] && [ -z "$missing" ]
ok $? "every function of the SDK is in libpenstock" "$missing"
echo "1..$n"
exit $bad
