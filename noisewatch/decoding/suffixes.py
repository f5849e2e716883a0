"""File name suffixes of recordings: what a folder is searched for."""

# From ".mp4" on, ffmpeg is needed.
SUFFIXES = {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".w64", ".rf64",
            ".au", ".snd", ".caf", ".mp4", ".mkv", ".mka", ".mov", ".avi", ".webm", ".m4a", ".m4b", ".aac", ".wma",
            ".3gp", ".flv", ".amr"}  # fmt: skip
