"""A fit in words: on the terminal and on its page."""

from __future__ import annotations

from surgetank.fit.fitted import Fit
from surgetank.fit.flow import FlowFit, Method
from surgetank.number_format import number, share

__all__ = ["facts", "sentences"]


def sentences(fit: Fit) -> list[str]:
    """What was fitted, whether the model holds, and what is written."""
    flow = fit.flow
    if flow is None:
        return [
            "The recording has too few messages to fit a flow to: price only, and the flow of "
            f"{fit.base.name}."
        ]
    found = [_verdict(flow)]
    if flow.events.pieces > 1:
        low, high = min(flow.factors), max(flow.factors)
        found.append(
            f"The rate is not constant: {flow.events.pieces} pieces of "
            f"{number(flow.events.span / flow.events.pieces)} s, from {low:.2f} to {high:.2f} of "
            "its mean (flow.profile piecewise)."
        )
    arrivals = fit.arrivals
    if arrivals is not None:
        found += [f"{note[0].upper()}{note[1:]}." for note in arrivals.notes]
        if arrivals.order_cv > 1.5:
            found.append(
                f"Order sizes vary more than the exponential ones that a scenario draws: standard "
                f"deviation {arrivals.order_cv:.1f} times the mean, where it is 1 time there."
            )
    if fit.duration_s < flow.events.span - 1:
        found.append(
            f"The scenario is as long as the first {fit.duration_s:g} s of the recording's "
            f"{flow.events.span:,.0f} s; --set duration_s=… runs it longer."
        )
    return found


def _verdict(flow: FlowFit) -> str:
    tests, hawkes = flow.goodness, flow.slow or flow.hawkes
    low, high = flow.branching_interval
    if flow.regular:
        return (
            "The messages come more regularly than independent ones (variance over mean of counts "
            "below 1 in windows of every length), which no Hawkes process does: a Poisson process "
            "is written, which is burstier than the recording."
        )
    if flow.slow is not None and flow.method is Method.POISSON:
        return (
            f"The Hawkes process of the greatest likelihood (branching {flow.slow.branching:.3f}, "
            f"decay {number(flow.slow.decay)} /s) would last {number(flow.slow.lasts_s)} s, and in "
            f"{number(flow.events.span)} s that is not distinguished from a rate that changes. "
            f"Given such a rate the residuals do not reject independent arrivals (p {_p(tests.p)})"
            ": a Poisson process is written."
        )
    if flow.method is Method.POISSON:
        return (
            f"No excitation (branching at most {high:.2g}), and the residuals do not reject "
            f"independent arrivals (p {_p(tests.p)}): a Poisson process is written."
        )
    if flow.method is Method.LIKELIHOOD:
        return (
            f"A Hawkes process with branching {flow.branching:.3f} ({low:.3f} to {high:.3f}) is "
            f"not rejected by its residuals (p {_p(tests.p)}), and is written."
        )
    tried = (
        f"The Hawkes process of the greatest likelihood (branching {hawkes.branching:.3f}, decay "
        f"{number(hawkes.decay)} /s) is rejected by its residuals (p {_p(tests.p)}). "
    )
    if flow.slow is not None:
        tried = (
            "Excitation that is over within a fortieth of the recording is not found by "
            "likelihood, and independent arrivals at a rate that changes are rejected by their "
            f"residuals (p {_p(tests.p)}). "
        )
    return (
        f"{tried}Written is the Hawkes process whose index of dispersion is the recording's: "
        f"branching {flow.branching:.3f} ({low:.3f} to {high:.3f}), decay {number(flow.decay)} /s. "
        "It has the recording's rate and burstiness over windows, and not its order of single "
        "messages."
    )


def facts(fit: Fit) -> list[tuple[str, str]]:
    """(what, figures) of everything that was fitted."""
    price, flow = fit.price, fit.flow
    rows: list[tuple[str, str]] = []
    if flow is not None:
        tests, hawkes = flow.goodness, flow.slow or flow.hawkes
        rows += [
            (
                "messages",
                f"{len(flow.events.times):,} in {flow.events.span:,.1f} s, {number(flow.rate)} /s",
            ),
            (
                "likelihood",
                f"branching {hawkes.branching:.4f} ± {hawkes.branching_se:.2g}, decay "
                f"{number(hawkes.decay)} ± {number(hawkes.decay_se)} /s (standard errors)",
            ),
            (
                "residuals",
                f"Kolmogorov–Smirnov p {_p(tests.ks_p)}, Ljung–Box p {_p(tests.ljung_box_p)}, "
                f"excess dispersion p {_p(tests.dispersion_p)}",
            ),
        ]
        d = min(flow.dispersion, key=lambda one: abs(one.window_s - 1.0))
        at = flow.dispersion.index(d)
        rows.append(
            (
                "burstiness",
                f"variance over mean of counts in {number(d.window_s)} s: {number(d.value)} "
                f"({number(d.low)} to {number(d.high)}); of what is written: "
                f"{number(float(flow.written[at]))}",
            )
        )
        if fit.arrivals is not None:
            mix = ", ".join(f"{share(s)} {name}" for name, s in fit.arrivals.mix.items() if s)
            rows.append(("messages of each kind", mix))
            rows.append(("order", f"{number(fit.arrivals.order_usd)} USD on average"))
    rows.append(
        (
            "volatility",
            f"{share(price.volatility)} a year ({share(price.volatility_low)} to "
            f"{share(price.volatility_high)}), of {price.returns:,} returns over "
            f"{number(price.step_s)} s; with jumps {share(price.realised)}",
        )
    )
    rows.append(
        (
            "jumps",
            f"{price.jumps}, or {number(price.jumps_per_day)} a day; mean {price.jump_mean:+.3%}, "
            f"standard deviation {price.jump_sd:.3%}",
        )
    )
    return rows


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.2g}"
