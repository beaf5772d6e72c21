"""The application object that gunicorn serves; owns nothing else."""

import os

from django.core.wsgi import get_wsgi_application

from hokusai_portal.application import Application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hokusai_portal.settings")

application = Application(get_wsgi_application())
