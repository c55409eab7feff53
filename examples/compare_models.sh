#!/bin/sh
# Gated against ungated, two seeds each, in one table; the curves of all in one figure.
set -eu
runs=""
for seed in 0 1; do
    runs="$runs $(lasernet train cnn-lstm --epochs 25 --seed $seed)"
    runs="$runs $(lasernet train cnn-lstm --epochs 25 --seed $seed --no-residual)"
done
# shellcheck disable=SC2086
lasernet eval $runs --format csv
# shellcheck disable=SC2086
lasernet visualize $runs --what losses
