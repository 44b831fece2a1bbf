# dependencies.sh - what the build and the tests need, by distribution; sourced by conf/quickstart/run and tests/run.
# SPDX-License-Identifier: Apache-2.0

BUILD_APT="gcc make autoconf automake libtool pkg-config libc6-dev libltdl-dev libinih-dev libcjson-dev libsqlite3-dev zlib1g-dev libzstd-dev libsnappy-dev libcurl4-openssl-dev libssl-dev libmariadb-dev libpq-dev libmicrohttpd-dev libgnutls28-dev"
TEST_APT="g++ clang libclang-rt-14-dev python3 python3-venv xz-utils zstd procps util-linux gawk libxml2-utils mandoc default-jre-headless maven openssl mariadb-server-core mariadb-client-core postgresql faketime"
BUILD_DNF="gcc make autoconf automake libtool pkgconf-pkg-config libtool-ltdl-devel inih-devel cjson-devel sqlite-devel zlib-devel libzstd-devel snappy-devel libcurl-devel openssl-devel mariadb-connector-c-devel libpq-devel libmicrohttpd-devel gnutls-devel"
BUILD_APK="build-base autoconf automake libtool pkgconf libltdl inih-dev cjson-dev sqlite-dev zlib-dev zstd-dev snappy-dev curl-dev openssl-dev mariadb-connector-c-dev libpq-dev libmicrohttpd-dev gnutls-dev"
BUILD_PACMAN="base-devel libtool libinih cjson sqlite zlib zstd snappy curl openssl mariadb-libs postgresql-libs libmicrohttpd gnutls"

BUILD_APT="$BUILD_APT librdkafka-dev" BUILD_DNF="$BUILD_DNF librdkafka-devel"
BUILD_APK="$BUILD_APK librdkafka-dev" BUILD_PACMAN="$BUILD_PACMAN librdkafka"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else
        echo "$0: packages are missing and this is neither root nor is there sudo: install them, then run it again" >&2
        return 1
    fi
}

missing_apt() { # PACKAGE…: those that are not installed
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

apt_install() { # PACKAGE…
    # shellcheck disable=SC2046
    set -- $(missing_apt "$@")
    [ $# -eq 0 ] && return 0
    echo "installing: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -qq update >/dev/null &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -qq install --no-install-recommends -y "$@" >/dev/null
}

need_build_packages() {
    if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        apt_install $BUILD_APT && return 0
        echo "$0: the packages could not be installed with apt-get: $BUILD_APT" >&2
        return 1
    fi
    build_tools_there && return 0
    cat >&2 <<TEXT
$0: this installs packages on Debian and its kin only. Install these, then run it again:
  dnf install $BUILD_DNF
  apk add $BUILD_APK
  pacman -S --needed $BUILD_PACMAN
TEXT
    return 1
}

# On other systems: is everything there already?
build_tools_there() {
    for tool in make autoconf automake pkg-config cc; do command -v "$tool" >/dev/null 2>&1 || return 1; done
    pkg-config --exists libzstd zlib sqlite3 libcjson inih
}
