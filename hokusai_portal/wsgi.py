"""The application object that gunicorn serves; owns nothing else."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hokusai_portal.settings")
_django = get_wsgi_application()

from hokusai_portal.application import Application  # noqa: E402  (needs Django's models)

application = Application(_django)
