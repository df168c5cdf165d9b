"""Counts passed and failed cases and closes with the line that `make test` reads."""

import sys


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def add(self, name, problem=None):
        """Records one case; problem is None when it passed, else what went wrong."""
        if problem is None:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAIL {name}\n{problem}\n", flush=True)

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(0 if self.failed == 0 and self.passed > 0 else 1)
