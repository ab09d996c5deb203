# %% [markdown]
# # A venue, a fault, an answer
#
# Run it cell by cell, or as a script. It runs as a test.

# %%
import polars as pl

import surgetank as st
from surgetank.trace import Source

# %% [markdown]
# A scenario is a frozen object. Take a named one, and make it small for a notebook.

# %%
calm = st.load("calm").with_values({"duration_s": 20.0, "warmup_s": 4.0})
result = st.run(calm, seed=7)
print(result.verdict.status, result.trace.trace_hash[:16])

# %% [markdown]
# Measures carry a unit and, where they are sampled, an interval.

# %%
for name in ("delay_p50_ms", "delay_p99_ms", "goodput_ratio", "desynchronised_share_max"):
    m = result.measures[name]
    print(f"{m.name:28} {m.value} {m.unit}  [{m.low}, {m.high}]")

# %% [markdown]
# The trace is a handful of polars tables. In which stage did the latency arise?

# %%
delays = result.trace.delays()
stages = ["client_link", "admission", "propagation", "queueing", "ordering", "execution"]
means = delays.select(pl.col(f"{stage}_ns").mean() / 1e6 for stage in stages)
print(means)

# %% [markdown]
# Now cut off a third of the nodes for five seconds. The flow is the same, draw by draw.

# %%
nodes = calm.network.nodes
fault = {
    "kind": "partition",
    "at_s": 8.0,
    "duration_s": 5.0,
    "groups": [list(range(nodes // 3 + 1))],
}
split = st.run(calm.with_values({"faults": [fault]}), seed=7)
before = result.trace.tables["messages"].filter(pl.col("source") == Source.BACKGROUND)
after = split.trace.tables["messages"].filter(pl.col("source") == Source.BACKGROUND)
assert before["created_ns"].equals(after["created_ns"])

# %%
print(st.compare(result.trace, split.trace).frame())
