"""Signal processing on arrays. Every module imports only from modules above it:

signal     the format: sample rate, window, block, and samples of any type as float32
levels     levels, SNR and noise floor
ring       a ring buffer of rows
resampler  any sample rate to 16 kHz
downmix    many channels to one
logmel     the front end's parameters, and log-Mel frames
highpass   the filter in front of everything else
front_end  both of a stream, computed at once and handed out bit by bit
"""
