"""What a person sees in the terminal. Every module imports only from modules above it:

wording      the sentences that commands share
history      the readings that the meter looks back on
style        colours and building blocks of meter and countdown
spectrogram  the spectrogram in the meter
plain        readings and events as lines of text
meter        the live meter
terminal     the Rich consoles that all commands use
countdown    the line on stderr while `check` and `calibrate` listen
"""
