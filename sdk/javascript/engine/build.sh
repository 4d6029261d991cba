#!/bin/sh
# Builds the engine of script plugins, engine.wasm.gz, bit for bit as it is
# committed. Needs Debian 12's clang, lld, wasi-libc and
# libclang-rt-dev-wasm32 in the versions below.
#
#   build.sh [SOURCES]
#
# SOURCES is the upstream archive of Debian's source package quickjs; without
# it apt fetches it, which needs a deb-src line for a suite that has it.
set -eu

version=2025.04.26
archive=quickjs_$version.orig.tar.xz
sources_sha256=ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe
compiler=14.0.6
libc=0.0~git20220510.9886d3d-2

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

sources=${1:-}
if [ -z "$sources" ]; then
    (cd "$tmp" && apt-get source -q --download-only "quickjs=$version-1" >/dev/null)
    sources=$tmp/$archive
fi
echo "$sources_sha256  $sources" | sha256sum -c --quiet -
mkdir "$tmp/quickjs"
tar -xJf "$sources" -C "$tmp/quickjs" --strip-components=1

clang --version | grep -q "version $compiler" || echo "Another clang than $compiler makes other bytes." >&2
[ "$(dpkg-query -W -f '${Version}' wasi-libc 2>/dev/null)" = "$libc" ] || echo "Another wasi-libc than $libc makes other bytes." >&2

# The prelude as a C string, without the comments and the indentation that
# nobody reads there; lines stay where they are, for stack traces.
{
    printf 'static const char prelude[] =\n'
    sed -e 's/^ *//' -e 's,^//.*,,' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' "$here/prelude.js"
    printf ';\n'
} >"$tmp/prelude.h"

cd "$tmp"
# EMSCRIPTEN stands for "no threads" in QuickJS; the stack is checked all the same.
: >setjmp.h # dtoa.c includes it and uses nothing of it
set -- --target=wasm32-wasi -nostdlibinc -isystem /usr/include/wasm32-wasi -O2 -g0 -fno-ident -w \
    "-ffile-prefix-map=$tmp=." -DNDEBUG -DEMSCRIPTEN -DCONFIG_STACK_CHECK "-DCONFIG_VERSION=\"$version\"" -D_GNU_SOURCE -Iquickjs -I.
for part in quickjs/quickjs quickjs/cutils quickjs/dtoa quickjs/libregexp quickjs/libunicode "$here/engine"; do
    clang "$@" -c "$part.c" -o "$(basename "$part").o" &
done
wait
clang --target=wasm32-wasi -Wl,--strip-all,--gc-sections,--stack-first,-z,stack-size=1048576 -o engine.wasm \
    engine.o quickjs.o cutils.o dtoa.o libregexp.o libunicode.o
gzip -9 -n -c engine.wasm >"$here/engine.wasm.gz"
cp quickjs/LICENSE "$here/LICENSE"
echo "engine.wasm: $(wc -c <engine.wasm) bytes, sha256 $(sha256sum <engine.wasm | cut -d' ' -f1)"
