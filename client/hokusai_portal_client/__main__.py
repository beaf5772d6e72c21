"""Runs the command as ``python -m hokusai_portal_client``; does nothing else."""

import sys

from hokusai_portal_client.main import main

sys.exit(main())
