"""The attacker's best response to a venue: which attack pays, with which settings and how much
capital.

A gain of an attack with fixed settings says little about a queue rule: another attacker may choose
better ones. Here each kind of attack is searched for its best settings (`race`), and the result is
measured on seeds that the search did not use. "None pays" is a statement about the strategies
searched (`strategies`), not about every possible attack.
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
