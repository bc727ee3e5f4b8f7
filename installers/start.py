"""What a frozen folder starts: the page in the browser, the command, and the processes that it starts itself."""

import multiprocessing
import runpy
import sys

if __name__ == "__main__":
    multiprocessing.freeze_support()
    if sys.argv[1:2] == ["-m"]:
        # Some commands start a second Python with a module of ours.
        sys.argv = sys.argv[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        from toonfilter.cli import main

        if not sys.argv[1:]:
            # A double click: people without a terminal get the page.
            sys.argv.append("app")
        main()
