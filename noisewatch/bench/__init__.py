"""What each step costs, side by side, each on one thread. Every module imports only from modules above it:

task        something to time: a call, and the audio that it stands for
memory      the most memory that this process has held
own         the steps of noisewatch
baselines   other detectors and estimators, as far as they are installed
worker      a process in which one of them is loaded and called
contestant  the same, seen from the process that asks
rounds      turns, one contestant after another
report      medians, ratios and distances from the floor
table       the report in Markdown
run         a whole run
"""
