"""The worst that an adversary on the network can do to a venue within a budget.

`AttackSpace` draws attacks from the faults and the kinds of attack that a scenario can have: held
nodes are cut off, delayed, silenced or made to lie, gateways are flooded. `hunt` looks for the
worst with Optuna on a few seeds; `worst_attack` measures it on fresh seeds, against the same runs
without it, removes its parts one by one, and tries defences (docs/adversary.md).
"""

from surgetank.adversary.budget import AdversaryBudget
from surgetank.adversary.objective import OBJECTIVES, Objective, objective
from surgetank.adversary.plan import AttackPlan
from surgetank.adversary.result import DefenceTried, PartDamage, WorstAttack
from surgetank.adversary.space import AttackSpace
from surgetank.adversary.worst import SearchEffort, worst_attack

__all__ = [
    "OBJECTIVES",
    "AdversaryBudget",
    "AttackPlan",
    "AttackSpace",
    "DefenceTried",
    "Objective",
    "PartDamage",
    "SearchEffort",
    "WorstAttack",
    "objective",
    "worst_attack",
]
