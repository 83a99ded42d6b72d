"""What the commands have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar, cast

from inftydiff.cli.components import Form, chosen_kinds, form_of

__all__ = ["Command"]

Chosen = TypeVar("Chosen", bound="Command")


class Command(ABC):
    """A command: a frozen dataclass of its arguments that can be run."""

    @classmethod
    def parse(cls: type[Chosen], words: Sequence[str], *, prog: str) -> Chosen:
        """Parse the words of a command.

        Args:
            words: the words after its name.
            prog: what it is called, such as ``"inftydiff sample"``.

        Raises:
            ValueError: if a component is of an unknown kind, or refuses a value.
            SystemExit: if the words are none that the command takes, or ask for help.
        """
        return cast(Chosen, cls.form(words).parse(words, prog=prog))

    @classmethod
    def form(cls, words: Sequence[str]) -> Form:
        """Return what the words are parsed by, with the settings of the components they choose.

        Args:
            words: the words after the command's name.

        Raises:
            ValueError: if a component is of an unknown kind.
        """
        return form_of(cls, chosen_kinds(words))

    @abstractmethod
    def run(self, words: Sequence[str]) -> None:
        """Run the command.

        Args:
            words: the words after the command's name.
        """
