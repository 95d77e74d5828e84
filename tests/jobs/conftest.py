"""The fixtures of the tests of jobs."""

from tests.jobs import kit

stub = kit.stub
