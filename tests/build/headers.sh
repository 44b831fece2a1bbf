# Each header of the SDK compiles alone, as C11 and as C++, without a warning. SPDX-License-Identifier: Apache-2.0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
n=0 bad=0

compiles() { # WHAT COMMAND…
    n=$((n + 1))
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok $n - $what"
    else
        echo "not ok $n - $what"
        sed 's/^/# /' "$work/log"
        bad=1
    fi
}

warnings="-pedantic-errors -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wundef -Wpointer-arith -Werror"
for path in "$top_srcdir"/core/include/penstock/*.h; do
    header=penstock/$(basename "$path")
    echo "#include <$header>" >"$work/alone.c"
    printf '#include <%s>\n#include <%s>\nint main() { return 0; }\n' "$header" "$header" >"$work/alone.cc"
    # shellcheck disable=SC2086
    compiles "$header is C11" $CC -std=c11 $warnings -I"$top_srcdir/core/include" -c -o "$work/alone.o" "$work/alone.c"
    if [ -z "$CXX_CHECK" ]; then
        n=$((n + 1))
        echo "ok $n - $header is C++ # SKIP there is no C++ compiler"
        continue
    fi
    for standard in c++11 c++20; do
        # shellcheck disable=SC2086
        compiles "$header is $standard" $CXX_CHECK -std=$standard $warnings -I"$top_srcdir/core/include" -c -o "$work/alone.o" "$work/alone.cc"
    done
done
echo "1..$n"
exit $bad
