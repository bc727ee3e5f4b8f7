"""The panel: toonfilter for people without a terminal, as a page in the browser that this machine serves to itself."""
