"""`python -m portcheck`: the command without its script."""

from portcheck.cli import main

if __name__ == "__main__":
    main()
