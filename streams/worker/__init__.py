"""The live worker: three stages on Faust, their frames, checkpoints and recovery."""
