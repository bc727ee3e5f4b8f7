"""The command `doctor`."""

import typer

from toonfilter.runtime import terminal

app = typer.Typer()


@app.command(rich_help_panel="Help and measures")
def doctor() -> None:
    """Try everything on this machine and say what to do about each fault.

    Exit status: 0 everything works, 1 cam does not but video and image do, 2 nothing does.
    """
    from toonfilter.runtime.doctor.checks import examine, exit_status
    from toonfilter.runtime.live.sources import prepare_environment

    prepare_environment()
    marks = {"ok": ("ok   ", "green"), "note": ("note ", "yellow"), "fault": ("fault", "red")}
    checks = []
    for check in examine():
        checks.append(check)
        mark, colour = marks[check.verdict]
        terminal.say(f"{terminal.mark(mark, colour)}  {check.name}: {check.found}")
        if check.advice and check.verdict != "ok":
            terminal.say(f"         what to do: {check.advice}")
    status = exit_status(checks)
    terminal.say(
        ("everything works", "video and image work, cam does not", "faults in what every command needs")[status]
    )
    raise typer.Exit(status)
