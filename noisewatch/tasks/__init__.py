"""What noisewatch does with a source, callable from Python. Every module imports only from modules above it:

false_alarms   counts of alarms, and their hourly rate
threshold      the threshold of a room, and its cost
calibrations   calibrations on disk
calibrate      records a room and chooses its threshold
input_session  one input of a session
merge          several inputs at once
listen         readings and events of one or several inputs, passed to sinks
check          whether it is quiet enough to record
doctor         what is wrong with a machine or its microphone
"""
