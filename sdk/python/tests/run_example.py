"""Serves an example of the README on a free port: `run_example.py flask_app`. Prints the port, ends with its input."""

from __future__ import annotations

import importlib
import pathlib
import sys
import threading

sys.path[:0] = [".", str(pathlib.Path(__file__).resolve().parents[1] / "src")]


def wsgi(app: object) -> None:
    from wsgiref.simple_server import WSGIServer

    from portals import Quiet

    with WSGIServer(("127.0.0.1", 0), Quiet) as server:
        server.set_app(app)
        print(server.server_port, flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        server.shutdown()


def asgi(app: object) -> None:
    import socket

    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    print(listening.getsockname()[1], flush=True)
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    sys.stdin.read()


def main(module: str) -> None:
    if module == "django_urls":
        import django
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application

        settings.configure(ROOT_URLCONF=module, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="of tests")
        django.setup()
        wsgi(get_wsgi_application())
    elif module == "fastapi_app":
        asgi(importlib.import_module(module).app)
    else:
        wsgi(importlib.import_module(module).app)


if __name__ == "__main__":
    main(sys.argv[1])
