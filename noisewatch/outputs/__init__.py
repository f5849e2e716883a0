"""Outputs of a session beside the meter: files, commands, clips and stdout.

To add a sink, copy `log.py` (a file that grows by a line an event) or `command.py` (anything else), and register
the new class with one line in `registry.py`. `cli/listen.py` holds the option that switches it on.
"""
