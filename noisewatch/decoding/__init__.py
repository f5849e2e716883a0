"""From files and pipes to samples of all channels. Every module imports only from modules above it:

suffixes          the file names that a folder is searched for
file_bytes        bytes of a file at an offset
pipe              bytes of a pipe, with lookahead
pcm               sample formats: PCM, float, A-law, mu-law
shortfall         errors for recordings that are decoded only in part
tags              ID3, APE and other tags
mpeg_frames       frame headers of MPEG audio and AAC
signatures        recognises the beginning of a recording
containers        the ends of MP4, ASF, Matroska and others
headers           WAV, AIFF, AU and CAF headers
pieces            the recordings in a file, such as MP3s joined end to end
uncompressed      the decoder of pipes, and of files with a wrong header
call_thread       calls that Ctrl-C cannot interrupt
libsndfile_piece  one piece of a file, opened by libsndfile
libsndfile        the decoder of most files
ffmpeg            the decoder of other formats
decoders          opens a file or a pipe with the decoder that fits it
"""
