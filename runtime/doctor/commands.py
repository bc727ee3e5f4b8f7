"""The command `doctor`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import JsonOption

if TYPE_CHECKING:
    from toonfilter.runtime.doctor.checks import Check

app = typer.Typer()


@app.command(rich_help_panel="Help and measures")
def doctor(json: JsonOption = False) -> None:
    """Try everything on this machine and say what to do about each fault.

    Exit status: 0 everything works, 1 cam does not but video and image do, 2 nothing does.
    """
    from toonfilter.runtime.doctor.checks import examine, exit_status
    from toonfilter.runtime.live.sources import prepare_environment

    prepare_environment()
    checks = []
    for check in examine():
        checks.append(check)
        if not json:
            _tell(check)
    status = exit_status(checks)
    if json:
        terminal.say_json({"status": status, "checks": [asdict(check) for check in checks]})
    else:
        ends = ("everything works", "video and image work, cam does not", "faults in what every command needs")
        terminal.say(ends[status])
    raise typer.Exit(status)


def _tell(check: "Check") -> None:
    mark, colour = {"ok": ("ok   ", "green"), "note": ("note ", "yellow"), "fault": ("fault", "red")}[check.verdict]
    terminal.say(f"  {check.name}: {check.found}", mark=mark, colour=colour)
    if check.advice and check.verdict != "ok":
        terminal.say(f"         what to do: {check.advice}")
