# shop-worker.service: written by codesensei from project.workers.worker; changes made here are lost at the next deploy.
celery -A config worker -l info -n %n@$HOST
