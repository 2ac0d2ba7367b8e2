"""gunicorn: what serves WSGI."""

from __future__ import annotations

from codesensei.webservers.base import Lines, OwnSettings, Process, WebServer


def _words(process: Process) -> Lines:
    # The command line wins over gunicorn.conf.py and GUNICORN_CMD_ARGS, and a socket passed by systemd over --bind.
    workers = ["--workers", process.workers] if process.workers else []
    return [
        [f"{process.programs}/gunicorn", *workers, "--bind", f"unix:{process.socket}"],
        ["--access-logfile", process.access_log, "--error-logfile", process.error_log],
        ["--graceful-timeout", str(process.graceful), "--config", process.program],
        [process.application],
    ]


SERVER = WebServer(
    name="gunicorn",
    version="23.0.0",
    interfaces=("wsgi",),
    is_default=True,
    program="gunicorn_conf.py",
    words=_words,
    workers_variable="GUNICORN_WORKERS",
    default_workers=3,
    reopen_signal="USR1",
    noise=(r"\[INFO\]", r"^\s*- - \["),
    # Its master says that a worker has ended; the worker has said why.
    halt="gunicorn.errors.HaltServer",
    own_settings=OwnSettings(
        file="gunicorn.conf.py",
        moved_by="GUNICORN_CMD_ARGS",
        setting="worker_class",
        refused=("uvicorn.workers.", "uvicorn_worker."),
        why="which loses requests when it ends and takes the visitor's address from what a visitor may write",
        fix="remove that line and set project.server to uvicorn",
    ),
)
