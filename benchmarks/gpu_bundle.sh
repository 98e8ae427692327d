#!/usr/bin/env bash
# What a GPU machine without a package index needs to test, measure and train lta, in parts of at most 48 MiB each.
#
#   benchmarks/gpu_bundle.sh OUT [SHEETS]
#
# OUT     a new folder for the parts: code.tar (project and wheels), wheels.1.tar, ... (large compiled wheels, for a machine
#         that lacks them), cifar10.1.tar, ..., and SHA256SUMS
# SHEETS  a folder with the program unpack-official, which `unpack-official cifar10 DIR` calls, and the files cifar10* and
#         cifar100* that it reads in cifar/: the official pictures. Without it, the bundle has no data.
#
# There:  mkdir /somewhere && tar -xf code.tar -C /somewhere && python3 /somewhere/unpack.py FOLDER_WITH_PARTS
#         as often as parts come. Then: . /somewhere/env.sh
#
# Variables, with their defaults:
#   PYTHON=python3                           with pip, and a package index here
#   FOR_PYTHON=3.12                          the machine's Python
#   HAS="torch==2.11.0 torchvision==0.26.0 numpy==2.4.6 pillow==12.3.0"    what it has already; the rest comes along
set -euo pipefail
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
fi
OUT=$1 SHEETS=${2:-}
PYTHON=${PYTHON:-python3} FOR_PYTHON=${FOR_PYTHON:-3.12}
HAS=${HAS:-torch==2.11.0 torchvision==0.26.0 numpy==2.4.6 pillow==12.3.0}
HERE=$(cd "$(dirname "$0")" && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir "$WORK/wheels" "$WORK/has"

git -C "$HERE/.." archive --format=tar HEAD | xz -T0 -6 > "$WORK/project.tar.xz"

"$PYTHON" "$HERE/bundle_parts.py" requirements > "$WORK/requirements.txt"
# Empty wheels stand for what the machine has: pip then looks for what goes with those versions, and fetches none of it.
# shellcheck disable=SC2086
"$PYTHON" "$HERE/bundle_parts.py" stand-ins "$WORK/has" $HAS > "$WORK/constraints.txt"
# The one requirement that is no wheel anywhere: it is built here, of Python alone.
"$PYTHON" -m pip wheel -q --no-deps -w "$WORK/wheels" 'antlr4-python3-runtime==4.9.*'
platforms=()
for platform in manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014 manylinux_2_5 manylinux1; do
  platforms+=(--platform "${platform}_x86_64")
done
"$PYTHON" -m pip download -q -d "$WORK/wheels" --find-links "$WORK/has" --find-links "$WORK/wheels" \
  -r "$WORK/requirements.txt" -c "$WORK/constraints.txt" --only-binary=:all: \
  --python-version "$FOR_PYTHON" --implementation cp --abi "cp${FOR_PYTHON/./}" --abi abi3 --abi none "${platforms[@]}"

"$PYTHON" "$HERE/bundle_parts.py" pack "$OUT" "$WORK" "$(git -C "$HERE/.." rev-parse HEAD)" ${SHEETS:+"$SHEETS"}
