#!/bin/sh
# From a simulation's CSV point clouds to a trained model.
# usage: sh examples/import_point_clouds.sh DIRECTORY_WITH_Alldata_withpoints_CSV
set -eu
lasernet data import "$1" --out track.h5 --material 316L --time-step 22.5e-6 --scan-speed 0.8
lasernet data verify track.h5
lasernet data info track.h5
lasernet train cnn-lstm --data track.h5 --plane xz --epochs 30
lasernet eval latest
