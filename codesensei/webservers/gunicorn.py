"""gunicorn: serves WSGI."""

from __future__ import annotations

from codesensei.webservers.base import Lines, OwnSettings, Process, WebServer
from codesensei.wire.steps import WebServerPackage


def _command(process: Process) -> Lines:
    # The command line wins over gunicorn.conf.py and GUNICORN_CMD_ARGS, and a socket passed by systemd over --bind.
    workers = ["--workers", process.workers] if process.workers else []
    return [
        [f"{process.programs}/gunicorn", *workers, "--bind", f"unix:{process.socket}"],
        ["--access-logfile", process.access_log, "--error-logfile", process.error_log or "-"],
        ["--graceful-timeout", str(process.drain), "--config", process.program],
        [process.application],
    ]


# Uvicorn's workers for it: they close connections that they accepted and did not read, and never call `pre_request`.
UVICORN_WORKERS = OwnSettings(
    file="gunicorn.conf.py",
    moved_by="GUNICORN_CMD_ARGS",
    name="worker_class",
    refused=("uvicorn.workers.", "uvicorn_worker."),
    cause="loses requests when it ends and takes the visitor's address from what a visitor may write",
    fix="remove that line and set project.server to uvicorn",
)

SERVER = WebServer(
    interfaces=("wsgi",),
    is_default=True,
    package=WebServerPackage(name="gunicorn", version="23.0.0"),
    command=_command,
    program="gunicorn_conf.py",
    candidate_program="gunicorn_candidate.py",
    workers_variable="GUNICORN_WORKERS",
    default_workers=3,
    reopen_signal="USR1",
    noise=r"\[INFO\]",
    # Its master says that a worker ended; the worker said why.
    halt="gunicorn.errors.HaltServer",
    own_settings=UVICORN_WORKERS,
)
