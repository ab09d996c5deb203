"""The checks that surgetank's own targets share: options, and ownership of what is removed."""

from __future__ import annotations

from typing import ClassVar

from surgetank.live.target import Batched, TargetError, Where
from surgetank.live.url_options import check_options, choice

__all__ = ["CheckedTarget"]


class CheckedTarget(Batched):
    """A target with checked options that creates one stream, queue or topic for a run."""

    options: ClassVar[tuple[str, ...]]
    acks: ClassVar[tuple[str, ...]]
    """Levels of acknowledgement, weakest first."""
    ack_usual: ClassVar[str]
    """The level if the URL lacks `ack`."""
    by_hand: ClassVar[str] = ""
    """A shell command that removes what `prepare` created, with `{name}` and `{port}` to be filled
    in."""

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
        """See `Target`. Anything that this object did not create stays."""
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
        """Creates the stream, queue or topic of a run; False if one of that name exists.

        Raises:
            TargetError: it cannot be made.
        """
        return True

    async def _settle(self) -> None:
        """Waits until it can be used."""

    async def _remove(self) -> None:
        """Removes what `_make` created.

        Raises:
            TargetError: it cannot be removed.
        """

    def _unusable(self, error: Exception) -> TargetError:
        """The error if the server cannot be used at all."""
        return TargetError(
            f"no usable {self.where.scheme} server ({str(error) or type(error).__name__})",
            place=self.where.url,
            hint="Is it running there, with this login?",
        )
