"""What is wrong before anything runs: the preview says so."""

from tests.host.broken.case import Broken

CASES = (
    Broken(
        "manage.py is missing",
        remove=("manage.py",),
        preview=True,
        error="project.directory .: there is no manage.py in commit COMMIT",
        fix="commit manage.py (django-admin startproject makes one)",
    ),
    Broken(
        "the directory is wrong",
        config={"project.directory": "web"},
        preview=True,
        error="project.directory web: there is no web/manage.py in commit COMMIT",
        fix="found manage.py in .: set project.directory: .",
    ),
    Broken(
        "the requirements file is missing",
        config={"project.requirements": "requirements/production.txt"},
        preview=True,
        error="project.requirements requirements/production.txt: there is no such file in commit COMMIT",
        fix="found requirements.txt: set project.requirements to the right one",
    ),
    Broken(
        "an included requirements file is missing",
        replace={"requirements.txt": ("redis==", "-r base.txt\nredis==")},
        preview=True,
        error="requirements.txt:7: includes base.txt, which is not in commit COMMIT",
        fix="commit the file, or fix the line",
    ),
    Broken(
        "the settings module is wrong",
        config={"project.settingsModule": "config.settings.prod"},
        preview=True,
        error="project.settingsModule config.settings.prod: there is no config/settings/prod.py (or config/settings/prod/__init__.py) in commit COMMIT",
        fix="found config.settings.production, config.settings, config.settings.base: set project.settingsModule",
    ),
    Broken(
        "the application's module is wrong",
        config={"project.wsgiApplication": "config.web:application"},
        preview=True,
        error="the wsgi application config.web:application: there is no module config.web in . of commit COMMIT",
        fix="found config.wsgi: set project.wsgiApplication: config.wsgi:application",
    ),
)
