from channels.routing import ChannelNameRouter, ProtocolTypeRouter
from django.core.asgi import get_asgi_application

http = get_asgi_application()

from jobs.consumers import Work  # noqa: E402

application = ProtocolTypeRouter({"http": http, "channel": ChannelNameRouter({"work": Work.as_asgi()})})
