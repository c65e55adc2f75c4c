"""The folder of the explorer's page, which a checkout builds on first use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import lrsched.explorer

PAGE = Path(lrsched.explorer.__file__).parent / "page"
SOURCES = Path(lrsched.explorer.__file__).parents[2] / "explorer"
TOOLS = "Node.js 20 or later, with npm"


def page_folder(page: Path = PAGE, sources: Path = SOURCES) -> Path:
    """The folder of the page; it is built where it is not there and its sources are.

    Args:
        page: the folder.
        sources: the folder with the sources of the page.

    Raises:
        FileNotFoundError: the page is not there and cannot be built; the error says what to
            install.
        OSError: the build failed.
    """
    if (page / "index.html").exists():
        return page
    if not (sources / "package.json").exists():
        raise FileNotFoundError(
            "explore: this installation has no page; "
            f"install lrsched from a checkout on a machine with {TOOLS}"
        )
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise FileNotFoundError(f"explore: the page must be built first; install {TOOLS}")
    sys.stderr.write("lrsched: building the page, once (half a minute)\n")
    for command in ([npm, "ci", "--no-audit", "--no-fund"], [node, "build.mjs", str(page)]):
        done = subprocess.run(command, cwd=sources, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise OSError(f"explore: {' '.join(command[1:2])} failed: {''.join(last)}")
    return page
