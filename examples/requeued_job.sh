#!/bin/bash
# A cluster job that may be stopped and requeued: the same line starts it and goes on with it.
#SBATCH --time=04:00:00
#SBATCH --gres=gpu:1
#SBATCH --signal=USR1@120
#SBATCH --requeue
#BSUB -W 4:00
#BSUB -gpu "num=1"
# USR1 (SLURM), USR2 and TERM (LSF) each make lasernet write a checkpoint and leave within seconds.
exec lasernet train predrnn --data track.h5 --precision bf16 --out runs/predrnn-track --resume auto
