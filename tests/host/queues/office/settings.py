import os
from pathlib import Path
from urllib.parse import urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = [".example"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "channels",
    "django_dramatiq",
    "django_q",
    "django_rq",
    "huey.contrib.djhuey",
    "jobs",
]
MIDDLEWARE = []
ROOT_URLCONF = "office.urls"
WSGI_APPLICATION = "office.wsgi.application"
ASGI_APPLICATION = "office.routing.application"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DATABASE_URL"].removeprefix("sqlite:///"),
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
STATIC_URL = "/static/"
BROKER = os.environ["BROKER_URL"]
CELERY_BROKER_URL = BROKER
CELERY_TASK_IGNORE_RESULT = True
CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [BROKER]}}}
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker",
    "OPTIONS": {"url": BROKER},
    "MIDDLEWARE": ["dramatiq.middleware.AgeLimit", "dramatiq.middleware.Retries"],
}
HUEY = {"huey_class": "huey.RedisHuey", "name": "office", "url": BROKER, "immediate": False, "consumer": {"workers": 1}}
Q_CLUSTER = {
    "name": "office",
    "workers": 1,
    "timeout": 600,
    "retry": 700,
    "redis": {
        "host": urlsplit(BROKER).hostname,
        "port": urlsplit(BROKER).port,
        "db": int(urlsplit(BROKER).path[1:]),
        "password": urlsplit(BROKER).password,
    },
}
RQ_QUEUES = {"default": {"URL": BROKER, "DEFAULT_TIMEOUT": 600}}
