"""Whole recordings, many at a time. Every module imports only from modules above it:

file_report  the result for one recording
scan_config  the options of a scan
find         the recordings that arguments name
progress     the progress bar of a scan
verdict      the verdict on a whole scan
table        the table that `scan` prints
labels       label files for other programs
journal      reports on disk, to resume from
judge        judges one recording after another
results      writes the results in one format
workers      several processes
ray_cluster  a Ray cluster
engine       chooses where recordings are judged
batch        a scan that can be interrupted and resumed
"""
