"""The command line: `python -m runstep`, or `runstep`."""

from runstep.command import main

if __name__ == "__main__":
    main()
