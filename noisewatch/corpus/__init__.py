"""Data for training and evaluation: recordings, splits, and windows mixed at a known SNR. Needs no torch."""
