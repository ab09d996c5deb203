"""What surgetank's own targets check alike: options, and that only what we made is removed."""

from __future__ import annotations

from typing import ClassVar

from surgetank.live.target import Batched, TargetError, Where
from surgetank.live.url_options import check_options, choice

__all__ = ["CheckedTarget"]


class CheckedTarget(Batched):
    """A target whose options are known, and that makes one stream, queue or topic for a run."""

    options: ClassVar[tuple[str, ...]]
    acks: ClassVar[tuple[str, ...]]
    """Levels of acknowledgement, weakest first."""
    ack_usual: ClassVar[str]
    """Where the URL leaves `ack` out."""
    by_hand: ClassVar[str] = ""
    """A command that removes what `prepare` made; `{name}` and `{port}` are filled in."""

    def __init__(self, where: Where) -> None:
        """Raises:
        TargetError: an option is not known, or has a value that it cannot have.
        """
        super().__init__(where)
        check_options(where, self.options)
        self._ack = choice(where, "ack", self.acks, self.ack_usual)
        self._created = False

    async def prepare(self) -> None:
        """See `Target`."""
        if not await self._make():
            raise TargetError(
                f"`{self.where.name}` is there already and is not ours",
                place=self.where.url,
                hint="Give another name after the port's slash, or none",
            )
        self._created = True
        await self._settle()

    async def dispose(self) -> None:
        """See `Target`. What this object did not make stays."""
        if not self._created:
            return
        try:
            await self._remove()
        except TargetError as error:
            raise TargetError(
                f"`{self.where.name}` could not be removed ({error.message})",
                place=self.where.url,
                hint=self.by_hand.format(name=self.where.name, port=self.where.port),
            ) from error
        self._created = False

    async def _make(self) -> bool:
        """Makes what a run needs; False if there is something of that name.

        Raises:
            TargetError: it cannot be made.
        """
        return True

    async def _settle(self) -> None:
        """Waits until what was made can be used."""

    async def _remove(self) -> None:
        """Removes what `_make` made.

        Raises:
            TargetError: it cannot be removed.
        """

    def _unusable(self, error: Exception) -> TargetError:
        """What hinders talking to the server at all."""
        return TargetError(
            f"no usable {self.where.scheme} server ({str(error) or type(error).__name__})",
            place=self.where.url,
            hint="Is it running there, with this login?",
        )
