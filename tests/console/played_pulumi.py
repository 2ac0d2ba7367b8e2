"""Pulumi's command as far as review stacks need it: stacks are files in `backend`, ciphertext is a text in reverse."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import yaml

BACKEND = Path("backend")
OWN = "organization/codesensei/"
Json = dict[str, Any]


def main(words: list[str]) -> None:
    """Play one call; each is written down."""
    words = [word for word in words if word not in ("--color", "never", "--non-interactive", "--yes", "--skip-preview")]
    stack = taken(words, "--stack").rpartition("/")[2]
    said = sys.stdin.read() if "set" in words else ""
    with Path("pulumi-calls").open("a") as calls:
        calls.write(f"{' '.join(words)} @{stack}\n")
    assert "CODESENSEI_REVIEWED" not in os.environ or words[0] not in ("up", "destroy")
    refuses = Path("refuses")
    if refuses.exists() and words[0] == refuses.read_text():
        sys.exit("error: it was told to refuse")
    state, file = BACKEND / f"{stack}.json", Path(f"stacks/Pulumi.{stack}.yaml")
    if words[0] == "stack":
        of_stack(words[1:], state, file)
    elif words[:2] == ["config", "set"]:
        sealed(Path(taken(words, "--config-file")), words[-1] if words[-1] != "--path" else "", said, words)
    elif words[0] == "config":
        print(json.dumps(opened(file)))
    elif words[0] in ("up", "destroy") and Path("interrupts").exists():
        interrupted(int(Path("interrupts").read_text()))
    elif words[0] == "up":
        config = yaml.safe_load(file.read_text())["config"]
        state.write_text(json.dumps(deployed(config)))
        print(f"deployed {config['codesensei:project']['source']['revision']}")
    elif words[0] == "destroy":
        state.write_text("{}")
        print("destroyed")
    else:
        sys.exit(9)


def interrupted(most: int) -> None:
    """End as the engine does when the terminal has interrupted it so often."""
    print("a step is under way", flush=True)
    for number in range(1, most + 1):
        signal.sigwait({signal.SIGINT})
        print(f"interrupt {number}", flush=True)
    sys.exit(255)


def of_stack(words: list[str], state: Path, file: Path) -> None:
    if words[0] == "ls":
        print(json.dumps([{"name": f"{OWN}{one.stem}"} for one in sorted(BACKEND.glob("*.json"))]))
    elif words[0] == "init":
        assert words[2:] == ["--no-select"]
        name = words[1].removeprefix(OWN)
        made = BACKEND / f"{name}.json"
        assert not made.exists()
        made.write_text("{}")
        config = Path(f"stacks/Pulumi.{name}.yaml")
        if not config.exists():
            config.write_text("encryptionsalt: v1:salt\n")
    elif words[0] == "export":
        print(json.dumps({"deployment": json.loads(state.read_text())}))
    elif words[0] == "rm":
        state.unlink()
        file.unlink(missing_ok=True)
    else:
        sys.exit(9)


def taken(words: list[str], option: str) -> str:
    """The value of an option, which is taken out."""
    if option not in words:
        return ""
    at = words.index(option)
    value = words[at + 1]
    del words[at : at + 2]
    return value


def sealed(file: Path, key: str, said: str, words: list[str]) -> None:
    """Encrypt a value into a file."""
    assert file.suffix == ".yaml"
    key = next(word for word in words if word.startswith("codesensei:"))
    whole = yaml.safe_load(file.read_text())
    *folders, last = key.split(".")
    place = whole["config"]
    for folder in folders:
        place = place.setdefault(folder, {})
    place[last] = {"secure": said[::-1]}
    file.write_text(yaml.safe_dump(whole, sort_keys=False))


def opened(file: Path) -> Json:
    """What `config --show-secrets --json` prints."""

    def clear(value: Any) -> Any:
        if isinstance(value, dict):
            return value["secure"][::-1] if set(value) == {"secure"} else {k: clear(v) for k, v in value.items()}
        return [clear(one) for one in value] if isinstance(value, list) else value

    config = yaml.safe_load(file.read_text())["config"]
    found = {key: clear(value) for key, value in config.items()}
    sealed = {key for key, value in config.items() if value != found[key]}
    return {
        key: {"value": value, "secret": key in sealed}
        if isinstance(value, str)
        else {"value": json.dumps(value), "objectValue": value, "secret": key in sealed}
        for key, value in found.items()
    }


def deployed(config: Json) -> Json:
    """A state with what the program leaves there."""
    mark = {key: value for key, value in config.get("codesensei:reviewOf", {}).items() if key in ("stack", "branch")}
    urn = f"urn:pulumi:x::codesensei::{{}}::{config['codesensei:project']['slug']}".format
    return {
        "resources": [
            {
                "urn": urn("pulumi:pulumi:Stack"),
                "type": "pulumi:pulumi:Stack",
                "outputs": {"url": f"http://{config['codesensei:domains'][0]}/"},
            },
            {"urn": urn("Server"), "type": "codesensei:index:Server", "inputs": {"reviewOf": mark} if mark else {}},
        ]
    }


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
main(sys.argv[1:])
