"""python -m noisewatch, and the `noisewatch` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly, even while it is still loading."""
    if getattr(sys, "frozen", False):  # by PyInstaller: the processes of `scan --jobs` begin here, too
        import multiprocessing

        multiprocessing.freeze_support()
        # Processes of our own, which Python would start by the name of their module.
        if sys.argv[1:] == ["-P", "-m", "noisewatch.inputs.lookout"]:
            from .inputs import lookout

            return lookout.main()
        if sys.argv[1:] == ["-P", "-m", "noisewatch.bench.worker"]:
            from .bench import worker

            return worker.main()
    try:
        from .cli import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # a library of compiled code that was interrupted while it loaded
        if isinstance(error.__cause__, KeyboardInterrupt):
            sys.exit(130)
        raise


if __name__ == "__main__":
    main()
