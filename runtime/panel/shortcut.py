"""An entry in the start menu, for people who will never open a terminal again."""

import os
import shlex
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from toonfilter.runtime.errors import ConfigError, OutputError

NAME = "Toonfilter"
_COMMENT = "Your webcam as a cartoon"


def start_command(executable: str = sys.executable) -> list[str]:
    """What the entry runs: this installation, whatever is on PATH later."""
    return [executable, "-m", "toonfilter.cli", "app"]


def install(platform: str = sys.platform, home: Path | None = None) -> Path:
    """Make the entry for this user; where it lies.

    Raises:
        OutputError: it cannot be written. ConfigError: no such place is known on this system.
    """
    home = home or Path.home()
    try:
        if platform.startswith("linux"):
            return _linux(home)
        if platform == "darwin":
            return _macos(home)
        if platform == "win32":
            return _windows(home)
    except OSError as error:
        raise OutputError(f"the entry cannot be written ({error.strerror or error})") from error
    raise ConfigError(f"no start menu is known on {platform}; start `toonfilter app` by hand")


def _icon() -> str:
    return files("toonfilter.runtime.panel").joinpath("static", "icon.svg").read_text(encoding="utf-8")


def _linux(home: Path) -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    icon = data / "icons" / "hicolor" / "scalable" / "apps" / "toonfilter.svg"
    entry = data / "applications" / "toonfilter.desktop"
    for path in (icon, entry):
        path.parent.mkdir(parents=True, exist_ok=True)
    icon.write_text(_icon(), encoding="utf-8")
    words = " ".join(_desktop_quoted(word) for word in start_command())
    entry.write_text(
        f"[Desktop Entry]\nType=Application\nName={NAME}\nComment={_COMMENT}\nExec={words}\nIcon=toonfilter\n"
        "Terminal=false\nCategories=AudioVideo;Video;\nKeywords=webcam;cartoon;privacy;\n",
        encoding="utf-8",
    )
    entry.chmod(0o755)
    return entry


def _desktop_quoted(word: str) -> str:
    """A word of Exec=, quoted as the Desktop Entry Specification has it."""
    for sign in ("\\", '"', "`", "$"):
        word = word.replace(sign, "\\" + sign)
    return '"' + word.replace("\\", "\\\\").replace("%", "%%") + '"'


def _macos(home: Path) -> Path:
    bundle = home / "Applications" / f"{NAME}.app"
    program = bundle / "Contents" / "MacOS" / NAME
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\nexec {shlex.join(start_command())}\n", encoding="utf-8")
    program.chmod(0o755)
    (bundle / "Contents" / "Info.plist").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict>\n'
        f"<key>CFBundleName</key><string>{NAME}</string>\n<key>CFBundleExecutable</key><string>{NAME}</string>\n"
        "<key>CFBundleIdentifier</key><string>toonfilter.panel</string>\n"
        "<key>CFBundlePackageType</key><string>APPL</string>\n"
        "<key>NSCameraUsageDescription</key><string>To turn your picture into a cartoon</string>\n</dict></plist>\n",
        encoding="utf-8",
    )
    return bundle


def _windows(home: Path) -> Path:
    """A link made by Windows itself: nothing else writes .lnk files well."""
    roaming = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    link = roaming / "Microsoft" / "Windows" / "Start Menu" / "Programs" / f"{NAME}.lnk"
    link.parent.mkdir(parents=True, exist_ok=True)
    script = link_script(link, Path(sys.executable))
    done = subprocess.run(
        ["powershell", "-NoProfile", "-NonInteractive", "-Command", script], capture_output=True, text=True, check=False
    )
    if done.returncode or not link.exists():
        raise OutputError(f"{link}: Windows did not make the link ({done.stderr.strip()[:200] or 'no reason told'})")
    return link


def link_script(link: Path, python: Path) -> str:
    """The PowerShell lines that make the link; pythonw has no console window."""
    windowless = python.with_name("pythonw.exe")
    program, *words = start_command(str(windowless if windowless.exists() else python))
    quoted = {"path": str(link), "target": program, "words": subprocess.list2cmdline(words)}
    quoted = {key: "'" + value.replace("'", "''") + "'" for key, value in quoted.items()}
    return (
        f"$l = (New-Object -ComObject WScript.Shell).CreateShortcut({quoted['path']}); "
        f"$l.TargetPath = {quoted['target']}; $l.Arguments = {quoted['words']}; "
        f"$l.Description = '{_COMMENT}'; $l.Save()"
    )
