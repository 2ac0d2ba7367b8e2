"""Starts one stand-in: `python -I start.py NAME ... ENGINE_ADDRESS`, NAME being a module beside this file.

Isolated mode keeps the user's project, which is the working directory, out of the plugin's import path.
"""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
runpy.run_module(f"standin.{sys.argv.pop(1)}", run_name="__main__", alter_sys=True)
