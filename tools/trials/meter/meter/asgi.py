from django.core.asgi import get_asgi_application

pages = get_asgi_application()


async def application(scope, receive, send):
    """Echo what comes over a WebSocket; Django has the rest."""
    if scope["type"] != "websocket":
        await pages(scope, receive, send)
        return
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})
