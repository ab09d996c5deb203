"""Live runs exported to other programs: Prometheus, OpenTelemetry.

Both need the clients of `surgetank[live]`, so nothing is imported here.
"""
