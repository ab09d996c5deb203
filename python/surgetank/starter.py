"""The scenario that `surgetank init` writes."""

STARTER = """\
#:schema ./scenario.schema.json
# A venue of your own. Every key: docs/scenario.md, or `surgetank schema`.
name = "NAME"
title = "My venue under a burst"
seed = 7
duration_s = 30.0    # length of the flow
warmup_s = 5.0       # measured from here on
drain_s = 10.0       # messages in transit may finish

[flow]
accounts = 500

[flow.arrivals]      # none, deterministic, poisson, hawkes, mmpp
kind = "hawkes"
rate_per_s = 200.0   # mean
branching = 0.7      # messages that one message causes
decay_per_s = 5.0

[flow.profile]       # constant, ramp, step, spike, piecewise
kind = "spike"
at_s = 12.0
decay_s = 5.0
factor = 4.0

[flow.makers]        # requote when the outside price moves
count = 5

[flow.oracle]
count = 3
interval_ms = 500.0

[flow.keepers]       # liquidate on the price that they have heard
count = 3

[network]
preset = "aws-13"    # one-way delays between 13 AWS zones
nodes = 13
topology = { kind = "random-regular", degree = 6 }
uplink_mbps = 200.0

[layer.queue]
rule = "fifo"        # or "priority", with high = ["cancel", "liquidation-order"]

[layer.service.validation]
order_us = 200.0

[layer.service.execution]
order_us = 100.0

[layer.consensus]    # none, single, tendermint, hotstuff, simplex, bullshark, tusk
kind = "tendermint"
timeout_commit_ms = 300.0

[market.price.path]  # gbm, points, tape
kind = "gbm"
start_usd = 60000.0
volatility = 2.0

[market.margin]
initial = 0.02
maintenance = 0.01

[market.positions]
count = 500
leverage_max = 40.0

[[faults]]           # partition, crash, slow, loss, delay, keypers, spam (live: more)
kind = "slow"
at_s = 15.0
duration_s = 5.0
nodes = [0]
factor = 3.0

[limits]             # a measure's name with _max or _min
delay_p99_ms_max = 3000.0
goodput_ratio_min = 0.95
desynchronised_share_max = 0.333
bad_debt_usd_max = 0.0
"""
