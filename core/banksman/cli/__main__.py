"""`python -m banksman.cli`, where the console script is not on the path."""

from banksman.cli import main

main()
