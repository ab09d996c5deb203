# %% [markdown]
# # The frontier of a venue, reproduced
#
# Safe leverage against load, beside the closed form: the figure of docs/frontier.md, in a small
# version that takes a minute or two. The full figure is `surgetank frontier rollup-sequencer`.

# %%
from pathlib import Path

import surgetank as st
from surgetank.report.frontier import frontier_svg
from surgetank.search import Curve

venue = st.load("rollup-sequencer")

# %% [markdown]
# Each curve is the scenario with some values changed. Two are enough here.

# %%
curves = [
    Curve("as it is", "the scenario unchanged", {}),
    Curve("slow keepers", "keepers take half a second", {"flow.keepers.reaction_ms": 500.0}),
]

# %% [markdown]
# Every point is a search of its own, with its interval. A larger budget and coarser precision than
# by default keep this short; the same seed gives the same figure on any machine.

# %%
found = st.frontier(
    venue,
    loads=[10.0, 40.0],
    curves=curves,
    budget=0.05,
    precision=0.15,
    runs_max=40,
    seed=1,
    workers=1,  # More are processes that import this script: then put it below a check of __name__.
)
print(found.frame())

# %% [markdown]
# Where its assumptions hold, the closed form should lie near the simulation.

# %%
for point in found.of("as it is"):
    if point.estimate and point.theory:
        print(f"{point.load:g}/s: simulated {point.estimate:.0f}x, theory {point.theory:.0f}x")

# %%
figure = Path("runs") / "frontier.svg"
figure.parent.mkdir(exist_ok=True)
figure.write_text(frontier_svg(found), encoding="utf-8")
