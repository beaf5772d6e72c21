#!/usr/bin/env python
"""Hands the command line to Django; owns nothing else."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hokusai_portal.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(f"{error}. Use the project's own Python: .venv/bin/python manage.py … (`make run` makes it).")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
