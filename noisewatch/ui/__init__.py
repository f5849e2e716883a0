"""What a person sees in the terminal. Every module imports only from modules above it:

wording      the sentences that commands share
history      the recent readings that the meter shows
style        colours and building blocks of the meter and the countdown
spectrogram  the spectrogram in the meter
plain        readings and events as lines of text
status       what the meter says of one input
rows         the live meter of several inputs
meter        the live meter
suspend      Ctrl-Z while the meter is shown
terminal     the Rich consoles that all commands use
progress     progress bars, on a terminal only
countdown    the line on stderr while `check` and `calibrate` listen
"""
