"""Sources of audio. Every module imports only from modules above it:

source          the protocol of all sources
ticks           signs of life of a source that waits
gaps            detection of gaps in live audio, by arrival times
portaudio       the PortAudio library
devices         input devices, by index or name
sound_system    versions and names, for bug reports
lookout         input devices, as another process sees them
default_device  which device is the default
capture         a stream of PortAudio
microphone      a live input, until it goes away
reconnecting    a live input that comes back
recording       a decoded file or pipe
piped           a pipe, read on its own thread
opening         opens any source by name
splitter        a source read on its own thread, as one source per channel
several         opens the inputs of a session
"""
