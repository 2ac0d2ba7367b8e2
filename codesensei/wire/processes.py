"""What the project's processes find in their environment beside the stack's variables."""

from __future__ import annotations

# Import roots; relative ones begin at manage.py's folder, where every process and job starts.
PYTHON_PATH = "PYTHONPATH"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(*, venv: str, settings_module: str, home: str) -> dict[str, str]:
    """The variables that the program sets itself; paths on the server."""
    return {
        "PATH": f"{venv}/bin:{SYSTEM_PATH}",
        "VIRTUAL_ENV": venv,
        "DJANGO_SETTINGS_MODULE": settings_module,
        "PYTHONUNBUFFERED": "1",
        "HOME": home,
    }
