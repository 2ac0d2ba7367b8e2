import os
import time

from django.core.wsgi import get_wsgi_application

time.sleep(float(os.environ.get("BOOT_SECONDS", "0")))
application = get_wsgi_application()
