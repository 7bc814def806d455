"""`python -m patina_pipelines` is the command line."""

from patina_pipelines.cli import main

main()
