"""python -m noisewatch"""

from .cli import main

main()
