"""Runs in the project's own Python, as the app user: makes one request and prints what Django says or where it hangs.

With DEBUG off and no LOGGING of the project's own, Django reports an error by mail only.
"""

import faulthandler
import json
import logging
import os
import sys
from wsgiref.util import setup_testing_defaults

sys.path.insert(0, os.getcwd())

import django
from django.core.handlers.wsgi import WSGIHandler

asked = json.loads(sys.argv[1])
faulthandler.dump_traceback_later(asked["seconds"], exit=True)
django.setup()
for name in [*logging.root.manager.loggerDict, "django"]:
    if name.split(".")[0] == "django":
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate, logger.disabled = [], name != "django", False
        logger.setLevel(logging.WARNING)
logging.getLogger("django").addHandler(logging.StreamHandler(sys.stdout))

path, _, query = asked["path"].partition("?")
environ = {"PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": asked["host"], "HTTP_X_FORWARDED_HOST": asked["host"]}
environ |= {"HTTP_X_FORWARDED_PROTO": asked["scheme"], "HTTP_X_FORWARDED_FOR": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1"}
# As the web servers have it, so that SECURE_SSL_REDIRECT does not answer in the page's place.
environ["wsgi.url_scheme"] = asked["scheme"]
# The method is GET by default.
setup_testing_defaults(environ)
next(iter(WSGIHandler()(environ, lambda *_: None)), b"")
