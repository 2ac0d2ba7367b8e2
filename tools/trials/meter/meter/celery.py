from celery import Celery

app = Celery("meter")
app.config_from_object("django.conf:settings", namespace="CELERY")
