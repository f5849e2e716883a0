"""Sources of audio. Every module imports only from modules above it:

source      the protocol of all sources
gaps        gaps in live audio, by arrival times
portaudio   the PortAudio library
devices     input devices, by index or name
microphone  a live input
recording   a file, or a pipe that is being read
piped       a pipe, read on a thread of its own
opening     any source, by one word
"""
