"""What the commands have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

__all__ = ["Command"]


class Command(ABC):
    """A command: a frozen dataclass of its arguments that can be run."""

    @abstractmethod
    def run(self, words: Sequence[str]) -> None:
        """Run the command.

        Args:
            words: the words after the command's name.
        """
