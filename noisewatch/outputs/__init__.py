"""The outputs of a session besides the meter: sinks and stdout. Every module imports only from modules above it:

sink       the interface of all sinks
dispatch   the sinks of a session, each behind a bounded queue and on its own thread
appending  the base of sinks that append lines to a file
log        events as JSON lines
table      noises as rows of CSV
labels     noises as an Audacity label track
command    a program run on every event
clip_file  the sound file of one clip, and its recovery after a crash
clips      a sound file for every noise
registry   the list of all sinks
stdout     lines on stdout
screen     the terminal of the meter

To add a sink, copy `log` (one line of a file per event) or `command` (anything else), and add a line to `registry`.
The option that switches it on is in `cli/listen`.
"""
