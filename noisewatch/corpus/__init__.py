"""Recordings to train and evaluate on: found, split, and mixed into windows at a known SNR. Free of torch."""
