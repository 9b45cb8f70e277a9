"""`python -m humbleyolo`: the command line where the installed command is not on the path."""

from humbleyolo.cli import main

if __name__ == "__main__":
    main()
