"""``python -m lasernet`` and the ``lasernet`` command."""

from lasernet.cli.app import main

if __name__ == "__main__":
    main()
