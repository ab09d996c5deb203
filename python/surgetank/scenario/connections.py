"""`[network.connections]`: TCP and QUIC connections between nodes."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from surgetank.scenario.section import (
    NonNegative,
    Positive,
    PositiveMs,
    Section,
    SpanMs,
    Whole,
)

#: Bounds of a segment's payload, in bytes: IPv4's least datagram, and a jumbo frame.
SEGMENT_BYTES: Final = (64, 9_000)


class NodeConnections(Section):
    """The connections between nodes, with `network.transport` tcp or quic; datagrams have none."""

    congestion: Literal["newreno", "cubic"] = Field(
        "cubic", description="law of the congestion window: RFC 5681 or RFC 9438"
    )
    segment_bytes: Whole = Field(
        1448, ge=SEGMENT_BYTES[0], le=SEGMENT_BYTES[1], description="payload of a packet, bytes"
    )
    header_bytes: Whole = Field(52, ge=0, le=1_000, description="headers of a packet, bytes")
    initial_window: Whole = Field(
        10, ge=1, le=10_000, description="initial congestion window, segments (RFC 6928)"
    )
    receive_window_kb: Whole = Field(
        6_000, ge=10, description="most bytes that are sent and not acknowledged, kB"
    )
    send_buffer_kb: Whole = Field(
        0,
        ge=0,
        description="most bytes that wait in one connection, kB; further messages are dropped; "
        "0 = unlimited",
    )
    buffer_kb: Whole = Field(
        0,
        ge=0,
        description="most bytes that wait for an uplink or for the rate of a path, kB; further "
        "packets are lost; 0 = unlimited",
    )
    rate_mbps: NonNegative = Field(
        0.0, description="rate limit of one connection, Mbit/s; 0 = unlimited"
    )
    rto_min_ms: PositiveMs = Field(
        200.0,
        description="least of the retransmission timeout's variable part, ms (RFC 6298; 200 is "
        "Linux's); the first timeout is five times it",
    )
    handshake_rtts: Whole = Field(
        2, ge=0, le=100, description="round trips until a connection is set up, keys included"
    )
    keep_alive_ms: SpanMs = Field(
        45_000.0,
        description="time without an answer after which a connection is closed, ms; 0 = never",
    )
    reconnect_ms: PositiveMs = Field(5_000.0, description="time between attempts to connect, ms")
    idle_restart: bool = Field(
        True,
        description="while nothing is sent, the congestion window is halved at each timeout, down "
        "to the initial one (RFC 2861)",
    )
    burst_ms: SpanMs = Field(
        1.0,
        description="segments that are sent at once, and acknowledged together, pass the slowest "
        "link in this time, ms (at least two, at most 64 KiB); 0 = segment by segment",
    )
    priority_votes: Positive = Field(
        7.0, description="share of a connection for votes, relative to the other priorities"
    )
    priority_blocks: Positive = Field(10.0, description="the same for proposals and blocks")
    priority_messages: Positive = Field(
        5.0, description="the same for clients' messages and all else"
    )
