"""Everything that would break a deploy, and some settings that are the project's own."""

import os

bind = ["0.0.0.0:8000", "unix:/tmp/desk.sock"]
workers = 9
chdir = "/tmp"
daemon = True
user = "nobody"
group = "nogroup"
pidfile = "/tmp/desk.pid"
reload = True
reuse_port = True
certfile = "/etc/ssl/certs/none.pem"
proxy_protocol = True
check_config = True
forwarded_allow_ips = "198.51.100.1"
graceful_timeout = 1
accesslog = "/tmp/access.log"
errorlog = "/tmp/error.log"
raw_env = ["DJANGO_SETTINGS_MODULE=nowhere.settings", "PATH=/nowhere", "FROM_CONF=kept"]
preload_app = os.environ.get("PRELOAD") == "1"
worker_class = os.environ.get("WORKER_CLASS", "sync")
threads = 2
timeout = 77


def post_worker_init(worker):
    os.environ["FROM_HOOK"] = str(worker.cfg.timeout)
