"""The recordings in a file. Every module imports only from modules above it:

layout        pieces as byte ranges
flac          FLAC streams joined end to end
ogg           chained Ogg
mpeg          MP3s joined end to end
uncompressed  WAV and its relatives joined end to end, or with audio beyond their header
finder        any of them, by its magic
"""
