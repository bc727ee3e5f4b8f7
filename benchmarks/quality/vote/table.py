"""The votes as a table for the terminal."""

import math
from pathlib import Path

from rich.table import Table

from toonfilter.benchmarks.quality.vote.agreement import VoteTable, count_votes
from toonfilter.benchmarks.quality.vote.ballot import read_ballot
from toonfilter.benchmarks.quality.vote.store import counting_votes, read_votes


def vote_table(folder: Path) -> Table:
    """Votes by reviewer and model, shares with intervals, and agreement.

    Raises:
        DataError: the folder holds no vote.
    """
    ballot = read_ballot(folder)
    known = {item.picture for item in ballot.items}
    votes = [
        vote for vote in counting_votes(read_votes(folder)) if vote.picture in known and vote.choice in ballot.models
    ]
    counted = count_votes(votes, ballot.models)
    table = Table(title=f"{len(votes)} votes on {len(ballot.items)} pictures", title_justify="left")
    table.add_column("reviewer")
    for model in ballot.models:
        table.add_column(model, justify="right")
    table.add_column("pictures", justify="right")
    for reviewer, row in counted.votes.items():
        table.add_row(reviewer, *map(str, row), str(sum(row)))
    table.add_section()
    shares = [_percent(share.value, share.low, share.high) for share in counted.shares]
    table.add_row("share of all", *shares, str(len(votes)))
    table.caption = _agreement(counted)
    table.caption_justify = "left"
    return table


def _percent(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return "-"
    interval = "" if math.isnan(low) else f"\\n{100 * low:.0f} to {100 * high:.0f}"
    return f"{100 * value:.0f} %{interval}"


def _agreement(counted: VoteTable) -> str:
    places = ", ".join(str(count) for count in counted.positions)
    if counted.kappa is None:
        agreement = "Agreement: needs two reviewers of the same pictures who do not all choose one model"
    else:
        agreement = f"Agreement: Fleiss' kappa {counted.kappa:.2f} over {counted.shared_pictures} pictures"
    return f"{agreement}. Chosen by place on the page, from the left: {places}."
