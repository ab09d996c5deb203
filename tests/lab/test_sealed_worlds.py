"""Of a sealed message nodes see sender, size, fee and expiry: nothing goes by its class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.trace import MessageClass, Outcome, OutcomeReason
from venue_under_attack import outcome

SEALED = ("threshold", "commit-reveal")


def cancels(unsealing: str, **values: Any) -> pl.DataFrame:
    """The cancels of six seconds."""
    result = outcome(layer__queue__unsealing=unsealing, duration_s=6.0, **values)
    return result.trace["messages"].filter(pl.col("class") == MessageClass.CANCEL)


def refused(found: pl.DataFrame, reason: OutcomeReason) -> int:
    """How many were refused for this reason."""
    return found.filter(pl.col("reason") == reason).height


@pytest.mark.parametrize("unsealing", SEALED)
def test_a_proposer_cannot_omit_a_class(unsealing: str) -> None:
    """The control: it omits every cancel that it can read."""
    censor = {"attack__kind": "censor", "attack__class": "cancel"}
    assert (cancels("none", **censor)["outcome"] != Outcome.EXECUTED).all()
    sealed = cancels(unsealing, **censor)
    done = sealed.filter(pl.col("outcome") == Outcome.EXECUTED)
    assert done.height > 0.9 * sealed.height > 20


@pytest.mark.parametrize("unsealing", SEALED)
def test_an_admission_limit_stops_cancels_as_it_stops_orders(unsealing: str) -> None:
    """The control: a cancel that can be read always passes."""
    limit = {"layer__admission__limit": 1, "flow__retry__tries_max": 0}

    def throttled(unsealing: str) -> int:
        return refused(cancels(unsealing, **limit), OutcomeReason.THROTTLED)

    assert throttled("none") == 0
    assert throttled(unsealing) > 0


@pytest.mark.parametrize("unsealing", ["none", *SEALED])
def test_a_plug_in_cannot_read_the_class(
    unsealing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that raises where it can read a cancel; the control is that it does raise."""
    text = "from plugin_example import Lottery\n\nclass Reads(Lottery):\n"
    text += "    def push(self, now_ns, place, ticket):\n"
    text += "        if (ticket.class_number, ticket.flags) != (4, 8) or ticket.reduces_risk:\n"
    text += "            raise ValueError('it can be read')\n"
    text += "        super().push(now_ns, place, ticket)\n"
    (tmp_path / "reading_rule.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    asked = {"layer__queue__discipline": "reading_rule:Reads"}
    if unsealing == "none":
        with pytest.raises(st.SurgetankError, match="it can be read"):
            cancels(unsealing, **asked)
    else:
        assert cancels(unsealing, **asked).height > 20


def test_shedding_spares_no_class_that_it_cannot_read() -> None:
    """`codel` sheds cancels it cannot tell from orders; the control is that it sheds none."""
    slow = {"layer__queue__discipline": "codel", "layer__queue__codel__target_ms": 0.01}
    slow |= {"layer__queue__codel__interval_ms": 1.0}

    def shed(unsealing: str) -> int:
        return refused(cancels(unsealing, **slow), OutcomeReason.SHED)

    assert shed("none") == 0
    assert shed("threshold") > 0


def test_a_plug_in_that_serves_by_fee_charges_its_bids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the discipline `fee` does; the control is the same class without the declaration."""
    text = "from plugin_example import Lottery\n\nclass Free(Lottery):\n    pass\n\n"
    text += "class Paid(Lottery):\n    pays_bids = True\n"
    (tmp_path / "paid_rule.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))

    def paid(discipline: str) -> int:
        messages = outcome(layer__queue__discipline=discipline, duration_s=3.0).trace["messages"]
        return int(messages["paid_micros"].sum())

    assert paid("paid_rule:Paid") > 0 and paid("fee") > 0
    assert paid("paid_rule:Free") == 0
