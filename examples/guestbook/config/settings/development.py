"""A developer's machine: SQLite, jobs run at once, no broker."""

import dj_database_url

from config.settings.base import *  # noqa: F403
from config.settings.base import BASE_DIR

DEBUG = True
SECRET_KEY = "only-for-development"

DATABASES = {"default": dj_database_url.config(default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}

CELERY_TASK_ALWAYS_EAGER = True
