"""The operating system. Knows nothing about audio. Every module imports only from modules above it:

locks          file locks between processes
files          files that are either complete or absent
csv_writer     CSV without cells that a spreadsheet would run as formulas
paths          paths that a user names, and the user's own folders
validation     validation of values that come from files
timeouts       timeouts for calls into libraries that may never return
worker         a thread that makes all calls into a library
watchdog       termination of network runs that do not end
parent         the end of child processes with their parent
native_stderr  silence for compiled libraries that write to stderr
"""
