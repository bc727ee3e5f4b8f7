"""The command `app`."""

from typing import Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import stop_on_signals

app = typer.Typer()


@app.command("app", rich_help_panel="Live")
def open_app(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Where the page is; default: a free one.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    camera: Annotated[str, typer.Option(help="As for `cam`: also a file that stands in for a camera.")] = "",
    install_shortcut: Annotated[
        bool, typer.Option("--install-shortcut", help="Put toonfilter into the start menu, and end.")
    ] = False,
) -> None:
    """Everything in a window of your browser: camera, styles and recordings. Ctrl-C ends it, and covers.

    The page is served by this machine to this machine alone, and opens with a key that holds for this run.
    """
    if install_shortcut:
        from toonfilter.runtime.panel.shortcut import install

        terminal.say(f"{install()}: toonfilter is in the start menu")
        return
    from toonfilter.runtime.errors import require
    from toonfilter.runtime.live.sources import prepare_environment

    for module in ("starlette", "uvicorn", "websockets", "platformdirs"):
        require(module, extra="app")
    prepare_environment()
    from toonfilter.runtime.panel.running import running_address
    from toonfilter.runtime.platform.user_folders import panel_folder

    if (address := running_address(panel_folder())) is not None:
        terminal.say(f"toonfilter runs already: {address}")
        if browser:
            typer.launch(address)
        return
    _serve(port, camera, opens_browser=browser)


def _serve(port: int | None, camera: str, *, opens_browser: bool) -> None:
    from toonfilter.runtime.panel.access import new_token
    from toonfilter.runtime.panel.panel import Panel, PanelOptions
    from toonfilter.runtime.panel.running import announce, open_socket, page_address, withdraw
    from toonfilter.runtime.panel.server import PanelServer
    from toonfilter.runtime.platform.user_folders import panel_folder, videos_folder

    folder, token = panel_folder(), new_token()
    listening = open_socket(port)
    panel = Panel(PanelOptions(folder, videos_folder(), camera))
    try:
        with stop_on_signals() as stop:
            server = PanelServer(panel, listening, token)
            try:
                address = page_address(listening.getsockname()[1], token)
                announce(folder, listening.getsockname()[1], token)
                terminal.say(f"toonfilter: {address}")
                terminal.say("Ctrl-C here, or Quit on the page, ends it")
                if opens_browser:
                    typer.launch(address)
                while not stop.is_set() and not panel.is_ending.wait(0.2):
                    pass
            finally:
                # Covered first: the page can wait.
                panel.camera.stop()
                withdraw(folder)
                server.close()
    finally:
        panel.close()
