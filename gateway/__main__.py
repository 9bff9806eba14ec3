"""`python -m gateway …` is `compound-gateway …`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
