"""`python -m guerdon` is the `guerdon` command."""

import sys

from guerdon.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
