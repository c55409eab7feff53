#!/bin/sh
# Train a PredRNN on the bundled laser track, judge it against every baseline, and draw it. Needs no network.
# usage: sh examples/demo.sh [DIRECTORY]      (lasernet must be on the PATH; about 4 minutes on 2 cores)
set -eu
out=${1:-.demo}
mkdir -p "$out"
run="$out/predrnn"
if [ -e "$run/test_results.json" ]; then echo "$run is trained already; remove it to train again" >&2; fi

lasernet train predrnn --plane xz --epochs 20 --out "$run" --resume auto
lasernet eval "$run" --format table
lasernet visualize "$run" --what losses,predictions,error,front
lasernet visualize "$run" --format gif
