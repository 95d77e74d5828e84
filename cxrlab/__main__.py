"""`python -m cxrlab VERB`: every page's verb, from a shell.

In:    the command line.
Out:   exit 0, or 2 with one clear sentence on standard error; 128 + N where the signal N ended it.
Never: imports of a verb that was not asked for.
"""

import argparse
import importlib
import os
import signal
import sys

from cxrlab import __version__
from cxrlab.commands import VERBS
from cxrlab.errors import CxrlabError, Interrupted

WORKER = "_work"  # how jobs start their own process; not for people


def main(words: list[str] | None = None) -> int:
    """Carry out the verb in `words` (default: the shell's) and return the exit status."""
    words = sys.argv[1:] if words is None else words
    if words[:1] == [WORKER] and len(words) == 2:
        from cxrlab.jobs import worker

        return worker.main(words[1])
    try:
        args = _parser(words).parse_args(words)
        return args.carry_out(args)
    except CxrlabError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as error:
        print(f"\n{error}".rstrip(), file=sys.stderr)
        return 128 + (error.number if isinstance(error, Interrupted) else signal.SIGINT)


def _parser(words: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cxrlab",
        description="Does a chest X-ray model that works at home still work at another hospital, and if not, why?",
        epilog="For research and teaching; not for clinical use.",
    )
    parser.add_argument("--version", action="version", version=f"cxrlab {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    asked = VERBS.get(next((word for word in words if not word.startswith("-")), ""))
    for module in [asked] if asked else dict.fromkeys(VERBS.values()):
        importlib.import_module(f"cxrlab.commands.{module}").add(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
