"""`python -m knownas` is the command `knownas`."""

from knownas.cli import main

if __name__ == "__main__":
    main()
