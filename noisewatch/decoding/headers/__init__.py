"""Headers of uncompressed audio. Every module imports only from modules above it:

header  the content of a header, and lengths that are only placeholders
chunks  chunks of RIFF, W64, IFF and CAF
wav     WAV, RF64 and Wave64
aiff    AIFF and AIFF-C
au      Sun/NeXT AU
caf     Core Audio Format
reader  any of them, by its magic
"""
