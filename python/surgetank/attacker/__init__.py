"""The attacker's best response to a venue: which attack, with which settings and capital, pays.

A gain of an attack with fixed settings says little about a queue rule: another attacker may choose
better ones. Here each kind of attack is searched for its best settings (`race`), and what was found
is measured on seeds that it was not chosen on. "None pays" speaks of the strategies searched
(`strategies`), not of all there are.
"""

from surgetank.attacker.response import BestResponse, Response, best_response
from surgetank.attacker.strategies import KINDS, SETTINGS, ChosenKey, Strategy

__all__ = [
    "KINDS",
    "SETTINGS",
    "BestResponse",
    "ChosenKey",
    "Response",
    "Strategy",
    "best_response",
]
