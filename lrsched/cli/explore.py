"""The command `lrsched explore`, which opens the page where recipes are played with."""

from __future__ import annotations

from typing import Any

import click

from lrsched.cli import arguments
from lrsched.cli.errors import attempt
from lrsched.cli.explorer_page import page_folder
from lrsched.explorer.address import write_recipes


@click.command()
@arguments.recipe("recipes", "[RECIPE]...", nargs=-1)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def explore(recipes: tuple[Any, ...], port: int, no_browser: bool) -> None:
    """Open a page on which recipes are written and played with.

    The page runs lrsched in the browser: curves, sliders for the parameters, the difference of two
    recipes, and what to write in each framework. It is served on this machine only, until Ctrl-C.
    """
    import threading
    import webbrowser

    from lrsched.cli.page_server import PageServer  # http takes as long to import as lrsched

    fragment = attempt(lambda: write_recipes(list(map(repr, recipes)))) if recipes else ""
    folder = attempt(page_folder)
    server = attempt(lambda: PageServer(folder, port))
    address = server.address + (f"#{fragment}" if fragment else "")
    click.echo(address)
    if not no_browser:
        # Beside the server: a browser of the terminal returns when it is closed.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    server.run()
